/**
 * The n-th request, as it goes over the wire: for another post each, so that none is on its way for somebody else, by the tenants in turn.
 *
 * @param name of the post's author, by which the upstream of the bench knows what to answer
 */
export const postRequest =
  (base: string, name: 'quick' | 'slow' | 'slower' | 'large', tokens: readonly string[]) =>
  (n: number, post: number = n): string =>
    `GET ${base}/post-detail/?url=https%3A%2F%2Fwww.tiktok.com%2F%40${name}%2Fvideo%2F${post} HTTP/1.1\r\nHost: bench\r\nX-Api-Key: ${tokens[n % tokens.length]}\r\nAccept: */*\r\n\r\n`;

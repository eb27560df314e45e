import { findEndpoint, tiklive, type Endpoint } from '@weir/upstream-catalog';
import { classify, type Received } from './classify';

const userid = findEndpoint(tiklive, '/userid/') as Endpoint;
const received = (status: number, body: string | Buffer = '', more: Partial<Received> = {}): Received => ({
  status,
  contentType: 'application/json',
  retryAfter: undefined,
  body: Buffer.from(body),
  ...more,
});
const verdictOn = (answer: Received) => classify(tiklive, userid, answer, 0);

describe('what an answer of the upstream means', () => {
  it('takes status 200 with what the catalog promises for an answer', () => {
    expect(verdictOn(received(200, '{"id":"107955"}'))).toEqual({ is: 'answer', parsed: { id: '107955' } });
  });

  it.each([401, 402, 429, 403, 404, 422, 500, 501, 302, 204, 502, 503, 504])('has a verdict on status %d', (status) => {
    const { is } = verdictOn(received(status));
    const expected: Record<number, string> = {
      401: 'unauthorized',
      402: 'depleted',
      429: 'rate-limited',
      403: 'passed-on',
      404: 'passed-on',
      422: 'passed-on',
    };
    expect(is).toBe(expected[status] ?? 'failed');
  });

  it('tries again only where that may help and costs nothing', () => {
    const retryable = [500, 501, 302, 502, 503, 504].filter(
      (status) => (verdictOn(received(status)) as { retryable?: boolean }).retryable,
    );
    expect(retryable).toEqual([502, 503, 504]);
  });

  it('believes a body that says the credits are used up, in the members that may say it (F3)', () => {
    expect(verdictOn(received(200, '{"message":"Insufficient credits"}')).is).toBe('depleted');
    expect(verdictOn(received(200, '{"id":"1","title":"out of credits"}')).is).toBe('answer');
  });

  it.each<[string, string | Buffer]>([
    ['HTML', '<html><body>busy</body></html>'],
    ['half a document', '{"id":"1"'],
    ['nothing', ''],
    ['another shape', '{"id":1}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['bytes that are not UTF-8', Buffer.concat([Buffer.from('{"id":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])],
    ['a member __proto__', '{"id":"1","__proto__":{"admin":true}}'],
    ['the same, deep down and escaped', '{"id":"1","a":[{"b":{"\\u005f_proto__":{}}}]}'],
    ['the same, escaped in the middle', '{"id":"1","a":{"__pr\\u006fto__":{}}}'],
  ])('finds %s unintelligible (F10)', (_, body) => {
    expect(verdictOn(received(200, body)).is).toBe('unintelligible');
  });

  it('lets the word __proto__ stand where it is no member, and a body be as deep as it likes (F10)', () => {
    expect(verdictOn(received(200, '{"id":"__proto__"}')).is).toBe('answer');
    const deep = `${'['.repeat(5_000)}"__proto__"${']'.repeat(5_000)}`;
    expect(verdictOn(received(200, `{"id":"1","deep":${deep}}`)).is).toBe('answer');
  });

  it('never repeats what the body said: it may be about a person', () => {
    const verdict = verdictOn(received(200, '{"id":"1","user":"alice"'));
    expect(JSON.stringify(verdict)).not.toContain('alice');
  });
});

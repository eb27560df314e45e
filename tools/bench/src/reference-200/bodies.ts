import type { Endpoint } from '@weir/upstream-catalog';

/** The least that the catalog takes for an answer: what is measured is not the upstream. */
export function bodyOf(endpoint: Endpoint, query: string): Buffer {
  return Buffer.from(JSON.stringify(answerOf(endpoint.id, query)));
}

function answerOf(id: string, query: string): object {
  const name = query.slice(query.lastIndexOf('=') + 1);
  switch (id) {
    case 'userinfo-by-username':
      return {
        user: { uniqueId: name, secUid: `sec-${name}` },
        stats: { followerCount: 1, followingCount: 1, heartCount: 1, videoCount: 1 },
      };
    case 'user-posts':
      return { videos: [], cursor: 0, hasMore: false };
    case 'user-followers':
      return { followers: [], time: 0, hasMore: false };
    default:
      return { comments: [], cursor: 0, hasMore: false };
  }
}

import type { EndpointDocument } from './document';

type Known = NonNullable<EndpointDocument['known']>;

/**
 * What answers are known to hold beside what they must: from the provider's published examples, not from live answers. A difference is no
 * failure; it is told, so that the catalog can follow.
 */
const under = <K extends string>(prefix: string, fields: Record<string, K>): Record<string, K> =>
  Object.fromEntries(Object.entries(fields).map(([name, kind]) => [`${prefix}${name}`, kind]));

const brief = { id: 'string', unique_id: 'string', nickname: 'string', avatar: 'string' } as const;
const played = { play: 'string', wmplay: 'string', hdplay: 'string' } as const;
const post = {
  region: 'string',
  title: 'string',
  cover: 'string',
  duration: 'integer',
  size: 'integer',
  music_info: 'object',
  play_count: 'integer',
  digg_count: 'integer',
  comment_count: 'integer',
  share_count: 'integer',
  download_count: 'integer',
  create_time: 'integer',
} as const;
const person = {
  ...brief,
  signature: 'string',
  region: 'string',
  verified: 'boolean',
  secret: 'boolean',
  follower_count: 'integer',
  following_count: 'integer',
  aweme_count: 'integer',
} as const;

export const PROFILE: Known = {
  always: {
    ...under('user.', {
      id: 'string',
      nickname: 'string',
      avatarThumb: 'string',
      avatarMedium: 'string',
      avatarLarger: 'string',
      signature: 'string',
      createTime: 'integer',
      verified: 'boolean',
      secret: 'boolean',
      privateAccount: 'boolean',
      region: 'string',
    } as const),
    'stats.heart': 'integer',
    'stats.diggCount': 'integer',
  },
  sometimes: { 'user.bioLink': 'object' },
};
export const ID: Known = { always: {}, sometimes: {} };
export const POST: Known = { always: { ...post, ...under('author.', brief) }, sometimes: played };
export const POSTS: Known = {
  always: { ...under('videos[].', post), ...under('videos[].author.', brief) },
  sometimes: under('videos[].', played),
};
export const people = (list: string): Known => ({ always: { total: 'integer', ...under(`${list}[].`, person) }, sometimes: {} });
export const COMMENTS: Known = {
  always: {
    total: 'integer',
    ...under('comments[].', { video_id: 'string', text: 'string', create_time: 'integer', digg_count: 'integer', reply_total: 'integer' } as const),
    ...under('comments[].user.', brief),
  },
  sometimes: {},
};
export const DOWNLOAD: Known = { always: { id: 'string', ...played, expires: 'integer' }, sometimes: {} };
export const MUSIC: Known = {
  always: { play: 'string', cover: 'string', author: 'string', original: 'boolean', duration: 'integer', video_count: 'integer' },
  sometimes: {},
};
export const CHALLENGE: Known = {
  always: { desc: 'string', user_count: 'integer', view_count: 'integer', is_commerce: 'boolean', cover: 'string' },
  sometimes: {},
};

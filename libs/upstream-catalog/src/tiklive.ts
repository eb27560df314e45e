import { readCatalog } from './catalog';
import type { CatalogDocument } from './document';
import { CHALLENGE, COMMENTS, DOWNLOAD, ID, MUSIC, POST, POSTS, PROFILE, people as peopleFields } from './tiklive-fields';

/**
 * TikLiveAPI. Prices, rates, names and shapes come from what the provider has published; parameter names follow its public PHP
 * client. Nothing here has been compared with live answers yet, and whatever only one source says, or none, is marked as assumed.
 */
const guess = <T>(value: T) => ({ value, assumed: true as const });

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const TWICE_A_WEEK = '0 4 * * 1,4';

/** Pages a person can open in a browser, and the two hosts of shortened links. */
const HOSTS = ['www.tiktok.com', 'tiktok.com', 'm.tiktok.com', 'vm.tiktok.com', 'vt.tiktok.com'];

const username = {
  name: 'username',
  type: 'text',
  required: true,
  pattern: '@?[A-Za-z0-9_.]{1,32}',
  maxLength: 33,
  personal: true,
} as const;
const userid = {
  name: 'userid',
  type: 'text',
  required: true,
  pattern: '[0-9]{1,20}',
  maxLength: 20,
  personal: true,
  assumed: true,
} as const;
const url = { name: 'url', type: 'url', required: true, hosts: HOSTS, maxLength: 2048, personal: true } as const;
const count = (maximum: number) =>
  ({ name: 'count', type: 'integer', required: false, minimum: 1, maximum, personal: false }) as const;
const cursor = {
  name: 'cursor',
  type: 'text',
  required: false,
  pattern: '[A-Za-z0-9_=-]{1,128}',
  maxLength: 128,
  personal: false,
} as const;
const time = { name: 'time', type: 'integer', required: false, minimum: 0, maximum: 9_999_999_999_999, personal: false } as const;

/** One credit for a successful request, says the provider; that a 404 is free follows from it and is not said. */
const oneCredit = { credits: 1, chargedStatuses: guess([200]) };

const followPage = (itemsField: string) =>
  ({ scheme: 'time', parameter: 'time', field: 'time', hasMoreField: 'hasMore', itemsField }) as const;
const cursorPage = (itemsField: string) =>
  ({ scheme: 'cursor', parameter: 'cursor', field: 'cursor', hasMoreField: 'hasMore', itemsField }) as const;

const people = (list: string) => ['id', 'unique_id', 'nickname', 'avatar'].map((field) => `${list}[].${field}`);

const document: CatalogDocument = {
  id: 'tiklive',
  title: 'TikLiveAPI',
  basePath: '/tiklive',
  origin: 'https://api.tikliveapi.com',
  auth: { header: 'X-Api-Key' },
  keyRate: { perMinute: 200, burst: 50 },
  scopes: ['download'],
  testCall: { endpoint: 'userid', query: { username: 'tiktok' } },
  // the post that TikTok's own documentation of embedding shows: it will not go away
  scopeProbes: guess([{ endpoint: 'post-detail', query: { url: 'https://www.tiktok.com/@scout2015/video/6718335390845095173' } }]),
  balance: guess({ path: '/balance/', field: 'credits' }),
  outOfCredits: guess({
    statuses: [402],
    members: ['error', 'message', 'msg', 'detail'],
    phrases: ['insufficient credit', 'out of credit', 'no credits', 'not enough credit', 'credits exhausted'],
  }),
  persons: {
    names: {
      username: 'username',
      unique_id: 'username',
      uniqueId: 'username',
      userid: 'user-id',
      id: 'user-id',
      secUid: 'sec-uid',
    },
    addressPath: '^/@([A-Za-z0-9_.]{1,32})(?:/|$)',
  },
  endpoints: [
    {
      id: 'userid',
      path: '/userid/',
      category: 'users',
      summary: 'The numeric id of a user name; the cheapest call, used to test a key.',
      parameters: [username],
      ...oneCredit,
      lifetimeSeconds: 15 * MINUTE,
      paging: { scheme: 'none' },
      personal: ['id'],
      shape: { id: 'string' },
      known: ID,
    },
    {
      id: 'userinfo-by-username',
      path: '/userinfo-by-username/',
      category: 'users',
      summary: 'Profile and counters of a user, in camelCase.',
      parameters: [username],
      ...oneCredit,
      lifetimeSeconds: 10 * MINUTE,
      snapshotLifetimeSeconds: 6 * HOUR,
      usualCron: '0 2 * * *',
      paging: { scheme: 'none' },
      personal: [
        'user.id',
        'user.uniqueId',
        'user.secUid',
        'user.nickname',
        'user.signature',
        'user.avatarLarger',
        'user.bioLink.link',
      ],
      shape: {
        'user.uniqueId': 'string',
        'user.secUid': 'string',
        'stats.followerCount': 'integer',
        'stats.followingCount': 'integer',
        'stats.heartCount': 'integer',
        'stats.videoCount': 'integer',
      },
      known: PROFILE,
    },
    {
      id: 'post-detail',
      path: '/post-detail/',
      category: 'posts',
      summary: 'One post, flat, in snake_case; with play addresses when the key may download.',
      parameters: [url],
      ...oneCredit,
      lifetimeSeconds: 15 * MINUTE,
      paging: { scheme: 'none' },
      personal: ['title', 'author.id', 'author.unique_id', 'author.nickname', 'author.avatar'],
      shape: { id: 'string', music_info: 'object', author: 'object' },
      known: POST,
      proves: { scope: 'download', fields: ['play', 'wmplay', 'hdplay'] },
    },
    {
      id: 'user-posts',
      path: '/user-posts/',
      category: 'posts',
      summary: 'The posts of a user, newest first, by cursor.',
      parameters: [userid, { ...count(35), default: 30 }, cursor],
      ...oneCredit,
      lifetimeSeconds: 5 * MINUTE,
      snapshotLifetimeSeconds: 6 * HOUR,
      usualCron: '30 2 * * *',
      paging: guess(cursorPage('videos')),
      personal: ['videos[].title', ...people('videos').map((path) => path.replace('[].', '[].author.'))],
      shape: { videos: 'array', 'videos[].video_id': 'string', cursor: 'scalar', hasMore: 'boolean' },
      known: POSTS,
    },
    {
      id: 'user-followers',
      path: '/user-followers/',
      category: 'users',
      summary: 'Who follows a user, by time.',
      parameters: [userid, { ...count(50), assumed: true }, time],
      ...oneCredit,
      lifetimeSeconds: guess(15 * MINUTE),
      usualCron: TWICE_A_WEEK,
      paging: guess(followPage('followers')),
      personal: people('followers'),
      shape: { followers: 'array', 'followers[].id': 'string', time: 'scalar', hasMore: 'boolean' },
      known: peopleFields('followers'),
    },
    {
      id: 'user-following',
      path: '/user-following/',
      category: 'users',
      summary: 'Whom a user follows, by time; the list is called followings.',
      parameters: [userid, { ...count(50), assumed: true }, time],
      ...oneCredit,
      lifetimeSeconds: guess(15 * MINUTE),
      usualCron: TWICE_A_WEEK,
      paging: guess(followPage('followings')),
      personal: people('followings'),
      shape: { followings: 'array', 'followings[].id': 'string', time: 'scalar', hasMore: 'boolean' },
      known: peopleFields('followings'),
    },
    {
      id: 'post-comments',
      path: '/post-comments/',
      category: 'comments',
      summary: 'The comments under a post, by cursor; a comment is named by id.',
      parameters: [{ ...url, assumed: true }, { ...count(50), assumed: true }, cursor],
      ...oneCredit,
      lifetimeSeconds: guess(5 * MINUTE),
      paging: guess(cursorPage('comments')),
      personal: ['comments[].text', ...people('comments').map((path) => path.replace('[].', '[].user.'))],
      shape: { comments: 'array', 'comments[].id': 'string', cursor: 'scalar', hasMore: 'boolean' },
      known: COMMENTS,
    },
    {
      id: 'download-video',
      path: '/download-video/',
      category: 'downloads',
      summary: 'Addresses of the video file, which expire: never kept.',
      parameters: [url],
      ...oneCredit,
      lifetimeSeconds: 0,
      paging: { scheme: 'none' },
      personal: [],
      shape: { play: 'string' },
      known: DOWNLOAD,
      needsScope: guess('download'),
    },
    {
      id: 'music-info',
      path: '/music-info/',
      category: 'music',
      summary: 'A sound: title, author, length, how many videos use it.',
      assumed: true,
      parameters: [
        { name: 'music_id', type: 'text', required: true, pattern: '[0-9]{1,20}', maxLength: 20, personal: false, assumed: true },
      ],
      ...oneCredit,
      lifetimeSeconds: 24 * HOUR,
      paging: { scheme: 'none' },
      personal: ['author'],
      shape: { id: 'string', title: 'string' },
      known: MUSIC,
    },
    {
      id: 'challenge-info-id',
      path: '/challenge-info-id/',
      category: 'challenges',
      summary: 'A challenge (hashtag): name, description, how often it is used and seen.',
      assumed: true,
      parameters: [
        { name: 'id', type: 'text', required: true, pattern: '[0-9]{1,20}', maxLength: 20, personal: false, assumed: true },
      ],
      ...oneCredit,
      lifetimeSeconds: 24 * HOUR,
      paging: { scheme: 'none' },
      personal: [],
      shape: { id: 'string', cha_name: 'string' },
      known: CHALLENGE,
    },
  ],
};

export const tiklive = readCatalog(document);

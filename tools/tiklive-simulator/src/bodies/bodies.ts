import { challenge } from './challenge';
import { commentsPage } from './comments';
import { music } from './music';
import { peoplePage } from './people';
import { download, firstOlder, postAt, postBody, postOf } from './post';
import { profile } from './profile';
import { userById, userByName, type User } from './user';

export interface Question {
  /** Checked against the catalog, defaults included. */
  readonly values: Readonly<Record<string, string>>;
  readonly mayDownload: boolean;
  readonly nowMs: number;
}

/** The answer of status 200, or the reason of a 404. */
export type Body = { readonly found: object } | { readonly missing: string };

const found = (body: object): Body => ({ found: body });
const ofUser = (user: User | undefined, body: (user: User) => object): Body => (user === undefined ? { missing: 'User not found' } : found(body(user)));
const ofPost = (url: string | undefined, body: (post: NonNullable<ReturnType<typeof postAt>>) => object): Body => {
  const post = postAt(url ?? '');
  return post === undefined ? { missing: 'Video not found' } : found(body(post));
};
const ofId = (text: string | undefined, body: (id: string) => object): Body =>
  text === undefined || /^0+$/.test(text) ? { missing: 'Not found' } : found(body(text));

/** By the endpoint's id in the catalog. */
export const bodies: Readonly<Record<string, (question: Question) => Body>> = {
  userid: ({ values }) => ofUser(userByName(values.username ?? ''), (user) => ({ id: user.id })),
  'userinfo-by-username': ({ values }) => ofUser(userByName(values.username ?? ''), profile),
  'post-detail': ({ values, mayDownload }) => ofPost(values.url, (post) => postBody(post, 'id', mayDownload)),
  'user-posts': ({ values, mayDownload }) => ofUser(userById(values.userid ?? ''), (user) => postsPage(user, values, mayDownload)),
  'user-followers': ({ values }) => ofUser(userById(values.userid ?? ''), (user) => peoplePage(user, 'followers', values)),
  'user-following': ({ values }) => ofUser(userById(values.userid ?? ''), (user) => peoplePage(user, 'followings', values)),
  'post-comments': ({ values }) => ofPost(values.url, (post) => commentsPage(post, values)),
  'download-video': ({ values, nowMs }) => ofPost(values.url, (post) => download(post, nowMs)),
  'music-info': ({ values }) => ofId(values.music_id, music),
  'challenge-info-id': ({ values }) => ofId(values.id, challenge),
};

/** Cursors are numbers in this simulator, while the catalog lets other texts pass. */
export const badCursor = (values: Readonly<Record<string, string>>): boolean => values.cursor !== undefined && !/^\d{1,15}$/.test(values.cursor);

/** Newest first; the cursor is the time of a page's last post in milliseconds, as text. */
function postsPage(user: User, values: Readonly<Record<string, string>>, mayDownload: boolean) {
  const before = Number(values.cursor ?? 0);
  const start = before === 0 ? 0 : firstOlder(user, before / 1_000);
  const end = Math.min(user.videos, start + Number(values.count ?? 30));
  const posts = [];
  for (let i = start; i < end; i++) posts.push(postOf(user, i));
  const last = posts.at(-1);
  return {
    videos: posts.map((post) => postBody(post, 'video_id', mayDownload)),
    cursor: last === undefined ? String(before) : String(last.createTime * 1_000),
    hasMore: end < user.videos,
  };
}

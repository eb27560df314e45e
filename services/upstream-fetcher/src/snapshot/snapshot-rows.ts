import type { Endpoint } from '@weir/upstream-catalog';

/** A profile at a time, as columns. */
export interface UserRow {
  readonly secUid: string;
  readonly userId: string | null;
  readonly uniqueId: string;
  readonly nickname: string | null;
  readonly region: string | null;
  readonly verified: boolean | null;
  readonly followers: number;
  readonly following: number;
  readonly hearts: number;
  readonly videos: number;
}

/** A post at a time, as columns; what the upstream left out is null. */
export interface PostRow {
  readonly videoId: string;
  readonly userId: string;
  readonly title: string | null;
  /** ms */
  readonly postedAt: number | null;
  readonly durationS: number | null;
  readonly plays: number | null;
  readonly likes: number | null;
  readonly comments: number | null;
  readonly shares: number | null;
  readonly downloads: number | null;
}

export const PROFILE = 'userinfo-by-username';
const POSTS = 'user-posts';

type Json = Readonly<Record<string, unknown>>;

/** The user whose profile an answer is; the catalog has checked the fields that it promises, nobody has checked the others. */
export function userRow(endpoint: Endpoint, body: unknown): UserRow | undefined {
  if (endpoint.id !== PROFILE) return undefined;
  const { user, stats } = body as { user: Json; stats: Json };
  return {
    secUid: String(user['secUid']),
    userId: text(user['id'], 40),
    uniqueId: String(user['uniqueId']),
    nickname: text(user['nickname'], 200),
    region: text(user['region'], 20),
    verified: typeof user['verified'] === 'boolean' ? user['verified'] : null,
    followers: whole(stats['followerCount']) ?? 0,
    following: whole(stats['followingCount']) ?? 0,
    hearts: whole(stats['heartCount']) ?? 0,
    videos: whole(stats['videoCount']) ?? 0,
  };
}

/** The posts in an answer. @param query canonical; it names the user where a post does not */
export function postRows(endpoint: Endpoint, query: string, body: unknown): PostRow[] {
  if (endpoint.id !== POSTS) return [];
  const asked = new URLSearchParams(query).get('userid') ?? '';
  const posts = new Map<string, PostRow>();
  for (const video of (body as { videos: readonly Json[] }).videos) {
    const author = (typeof video['author'] === 'object' && video['author']) as Json | null | false;
    const seconds = whole(video['create_time']);
    const row: PostRow = {
      videoId: String(video['video_id']),
      userId: (author && text(author['id'], 40)) || asked,
      title: text(video['title'], 4_000),
      postedAt: seconds === null || seconds > 1e11 ? null : seconds * 1_000,
      durationS: whole(video['duration']),
      plays: whole(video['play_count']),
      likes: whole(video['digg_count']),
      comments: whole(video['comment_count']),
      shares: whole(video['share_count']),
      downloads: whole(video['download_count']),
    };
    posts.set(row.videoId, row);
  }
  return [...posts.values()];
}

// a text column takes no NUL
const text = (value: unknown, most: number): string | null => (typeof value === 'string' ? value.replaceAll('\0', '').slice(0, most).toWellFormed() : null);
const whole = (value: unknown): number | null => (Number.isSafeInteger(value) ? (value as number) : null);

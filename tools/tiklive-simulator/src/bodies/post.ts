import { music } from './music';
import { Seeded, hash32 } from './seeded';
import { CDN, NOW_S, brief, userByName, type User } from './user';
import { CAPTIONS, TOPICS } from './words';

const YEAR_S = 365 * 86_400;

/**
 * An id of 19 digits whose upper half is the time of posting, as the real ones are: a post's numbers, its time among them, follow
 * from its id alone, whether it is met in a list or asked for by its address.
 */
const postId = (createTime: number, seed: string): string => String((BigInt(createTime) << 32n) | BigInt(hash32(seed)));
const timeIn = (id: string): number => Number(BigInt(id) >> 32n);

/** Posts are spread evenly, newest first, so that a cursor (a time) finds its place without walking there. */
const spacing = (author: User): number => Math.min(5 * 86_400, Math.floor((6 * YEAR_S) / Math.max(1, author.videos)));
export const postedAt = (author: User, index: number): number => NOW_S - (index + 1) * spacing(author);

/** The first index of a post that is older than `beforeS`. */
export const firstOlder = (author: User, beforeS: number): number => Math.max(0, Math.floor((NOW_S - beforeS) / spacing(author)));

export const postOf = (author: User, index: number): Post => {
  const createTime = postedAt(author, index);
  return { id: postId(createTime, `${author.id}/${index}`), author, createTime };
};

export interface Post {
  readonly id: string;
  readonly author: User;
  readonly createTime: number;
}

/** The post at an address: `/@name/video/<id>`, or any other path, as shortened links have; undefined when its author does not exist. */
export function postAt(url: string): Post | undefined {
  const { pathname } = new URL(url);
  const [, name, id] = /^\/@([^/]+)\/(?:video|photo)\/(\d{1,19})/.exec(pathname) ?? [];
  const author = userByName(name ?? `user${hash32(pathname)}`);
  if (author === undefined) return undefined;
  if (id === undefined) return postOf(author, hash32(pathname) % Math.max(1, author.videos));
  const createTime = timeIn(id);
  // an id that somebody made up says no plausible time
  return { id, author, createTime: createTime > NOW_S - 10 * YEAR_S && createTime <= NOW_S ? createTime : NOW_S - (hash32(id) % YEAR_S) };
}

/** How a post has done: few of those who watch like it, few of those who like it write. */
export function reception(post: Post) {
  const random = new Seeded(`reception/${post.id}`);
  const plays = random.count(12_000 + post.author.followers / 20, 1.2, 900_000_000);
  const likes = Math.round(plays * (0.02 + 0.12 * random.next()));
  return {
    play_count: plays,
    digg_count: likes,
    comment_count: Math.round(likes * (0.01 + 0.06 * random.next())),
    share_count: Math.round(likes * 0.05 * random.next()),
    download_count: Math.round(likes * 0.02 * random.next()),
  };
}

/** One post, flat and in snake_case; lists call its id `video_id`. The play addresses are for keys that may download. */
export function postBody(post: Post, idField: 'id' | 'video_id', mayDownload: boolean) {
  const { id, author, createTime } = post;
  const random = new Seeded(`post/${id}`);
  const topic = random.chance(0.7) ? author.topic : random.pick(TOPICS);
  const caption = random.pick(CAPTIONS).replace('{topic}', topic).replace('{n}', String(random.int(2, 30)));
  const duration = random.int(7, 180);
  const sound = music(String(7_000_000_000_000_000_000n + BigInt(random.int(0, 999_999)) * 1_000_003n));
  return {
    [idField]: id,
    region: author.region,
    title: `${caption} #${topic} #fyp`,
    cover: `${CDN}/cover/${id}.jpeg`,
    duration,
    ...(mayDownload ? playAddresses(id) : {}),
    size: duration * 310_000,
    music_info: { id: sound.id, title: sound.title, author: sound.author, original: sound.original, duration: sound.duration, play: sound.play },
    ...reception(post),
    create_time: createTime,
    author: brief(author),
  };
}

const playAddresses = (id: string) => ({
  play: `${CDN}/video/${id}/play.mp4`,
  wmplay: `${CDN}/video/${id}/watermarked.mp4`,
  hdplay: `${CDN}/video/${id}/hd.mp4`,
});

const LINK_LIFE_S = 3_600;

/** `/download-video/`: signed addresses with an end, new ones for each call. */
export function download(post: Post, nowMs: number) {
  const expires = Math.floor(nowMs / 1_000) + LINK_LIFE_S;
  const signature = `?expires=${expires}&signature=${hash32(`${post.id}/${nowMs}`).toString(16).padStart(8, '0')}`;
  const { play, wmplay, hdplay } = playAddresses(post.id);
  return { id: post.id, play: play + signature, wmplay: wmplay + signature, hdplay: hdplay + signature, expires };
}

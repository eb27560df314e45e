import { Seeded } from './seeded';
import { existsById, existsByName, idOf, nameOf } from './user-id';
import { FIRST_NAMES, LAST_NAMES, REGIONS, TOPICS, title } from './words';

/** The simulator's present, in epoch seconds (2026-06-01): a fixed one, so that answers do not change from day to day. */
export const NOW_S = 1_780_272_000;
const YEAR_S = 365 * 86_400;
export const CDN = 'https://cdn.tiklive-simulator.example';

/** One made-up person: everything follows from the id. */
export interface User {
  readonly id: string;
  readonly uniqueId: string;
  readonly nickname: string;
  readonly secUid: string;
  readonly avatar: string;
  readonly signature: string;
  readonly topic: string;
  readonly region: string;
  readonly verified: boolean;
  readonly bioLink: string | undefined;
  readonly createTime: number;
  readonly followers: number;
  readonly following: number;
  readonly hearts: number;
  readonly videos: number;
  readonly liked: number;
}

/** @param text as a caller gives it: with or without @, in any case; undefined when there is no such user */
export function userByName(text: string): User | undefined {
  const name = text.replace(/^@/, '').toLowerCase();
  return existsByName(name) ? user(idOf(name), name) : undefined;
}

export const userById = (id: string): User | undefined => (existsById(id) ? user(id, nameOf(id) ?? `user${id.slice(0, 13)}`) : undefined);

/** The n-th of the people around somebody: followers, commenters. */
export function acquaintance(seed: string): User {
  const random = new Seeded(seed);
  const name = `${random.pick(FIRST_NAMES)}${random.pick(['', '.', '_'])}${random.pick(LAST_NAMES)}`.slice(0, 10).replace(/[._]$/, '');
  const unique = random.chance(0.7) ? `${name}${random.int(1, 99)}` : name;
  return user(idOf(unique), unique);
}

/** The platform's own, `tiktok`, which everybody asks for first. */
const HOUSE_ACCOUNT = '107955';

function user(id: string, uniqueId: string): User {
  const random = new Seeded(`user/${id}`);
  const topic = random.pick(TOPICS);
  const videos = random.count(90, 1.1, 3_000);
  const followers = id === HOUSE_ACCOUNT ? 92_400_000 : random.count(4_000, 2.2, 160_000_000);
  const region = random.pick(REGIONS);
  return {
    id,
    uniqueId,
    nickname: nickname(uniqueId, random),
    secUid: `MS4wLjABAAAA${random.text(43)}`,
    avatar: `${CDN}/avatar/${id}`,
    signature: random.pick([`${topic} every day`, `${title(topic)} & more ✨`, `just here for the ${topic}`, `📍${region} · ${topic}`, '']),
    topic,
    region,
    verified: followers > 1_000_000 && random.chance(0.8),
    bioLink: random.chance(0.3) ? `https://links.tiklive-simulator.example/${uniqueId}` : undefined,
    createTime: NOW_S - random.int(7 * YEAR_S, 9 * YEAR_S),
    followers,
    following: random.count(180, 1.2, 10_000),
    hearts: Math.round(followers * (4 + 30 * random.next())) + videos,
    videos,
    liked: random.count(900, 1.5, 200_000),
  };
}

const nickname = (uniqueId: string, random: Seeded): string =>
  uniqueId
    .split(/[._]+/)
    .map((part) => title(part.replace(/\d+$/, '') || part))
    .filter((part) => part !== '')
    .join(' ') + random.pick(['', '', ' ✨', ' 🌱', ' Official']);

/** As lists name somebody. */
export const brief = (someone: User) => ({
  id: someone.id,
  unique_id: someone.uniqueId,
  nickname: someone.nickname,
  avatar: `${someone.avatar}/thumb.jpeg`,
});

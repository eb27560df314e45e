import { Seeded } from './seeded';
import { NOW_S, acquaintance, brief, type User } from './user';

/** The upstream shows the latest of them and then ends, however many a profile counts. */
const SHOWN_AT_MOST = 2_000;
const DEFAULT_COUNT = 20;
const SPACING_S = 7_200;

/**
 * A page of followers or followings, newest first. Paged by `time`: an answer's `time` is that of its last person, and asking with it
 * continues with the older ones.
 */
export function peoplePage(user: User, list: 'followers' | 'followings', values: Readonly<Record<string, string>>) {
  const total = list === 'followers' ? user.followers : user.following;
  const shown = Math.min(total, SHOWN_AT_MOST);
  const asked = Number(values.time ?? 0);
  const start = asked === 0 ? 0 : Math.max(0, Math.floor((NOW_S - asked) / SPACING_S));
  const end = Math.min(shown, start + Number(values.count ?? DEFAULT_COUNT));
  const people = [];
  for (let i = start; i < end; i++) people.push(person(`${user.id}/${list}/${i}`));
  return { total, [list]: people, time: NOW_S - Math.max(start, end) * SPACING_S, hasMore: end < shown };
}

function person(seed: string) {
  const someone = acquaintance(seed);
  const random = new Seeded(`${seed}/card`);
  return {
    ...brief(someone),
    signature: someone.signature,
    region: someone.region,
    verified: someone.verified,
    secret: random.chance(0.1),
    follower_count: someone.followers,
    following_count: someone.following,
    aweme_count: someone.videos,
  };
}

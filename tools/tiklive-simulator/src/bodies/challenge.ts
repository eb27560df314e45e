import { Seeded } from './seeded';
import { CDN } from './user';
import { TOPICS } from './words';

export function challenge(id: string) {
  const random = new Seeded(`challenge/${id}`);
  const name = `${random.pick(TOPICS)}${random.pick(['', 'tok', 'challenge', 'life', String(random.int(2, 99))])}`;
  const users = random.count(30_000, 2, 90_000_000);
  return {
    id,
    cha_name: name,
    desc: random.chance(0.5) ? `Show us your #${name}.` : '',
    user_count: users,
    view_count: users * random.int(200, 4_000),
    is_commerce: random.chance(0.1),
    cover: `${CDN}/challenge/${id}.jpeg`,
  };
}

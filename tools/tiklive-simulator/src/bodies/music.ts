import { Seeded } from './seeded';
import { CDN } from './user';
import { FIRST_NAMES, LAST_NAMES, SONGS, title } from './words';

export function music(id: string) {
  const random = new Seeded(`music/${id}`);
  const author = `${title(random.pick(FIRST_NAMES))} ${title(random.pick(LAST_NAMES))}`;
  const original = random.chance(0.5);
  return {
    id,
    title: original ? `original sound - ${author}` : random.pick(SONGS),
    play: `${CDN}/music/${id}.mp3`,
    cover: `${CDN}/music/${id}.jpeg`,
    author,
    original,
    duration: random.int(8, 60),
    video_count: random.count(2_000, 2.5, 20_000_000),
  };
}

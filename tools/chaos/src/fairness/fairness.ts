import { join } from 'node:path';
import { startParts } from '@weir/stack';
import { seeded, type Outcome, type Scenario } from '../scenario';
import { alone, joining, onAndOff, polite, unheard, weighted } from './on-the-clock';
import { onRedis } from './on-redis';

/** What tenants get of a key that all of them want: in real time on Redis, and hours of it on the model's clock, which are the same for the same seed. */
export const fairness: Scenario = {
  name: 'fairness',
  title: 'L10 L11: 50 tenants on one key, one at 100 times its share, for so many seconds in real time; then 500 who join at once and adversaries on the model’s clock, so many times',
  times: 3,
  seconds: 300,
  async run({ times, seconds, random, directory, progress }) {
    const seedOf = () => Math.floor(random() * 2 ** 32);
    const [live, ...models] = Array.from({ length: 1 + times }, seedOf);
    const outcomes: Outcome[] = [];
    if (seconds > 0) {
      const parts = await startParts({ only: ['redis'], dataDir: join(directory, 'redis'), environment: process.env, progress });
      try {
        progress(`50 tenants for ${seconds} s, after ${seconds / 4} s without the loud one`);
        outcomes.push(await onRedis({ url: parts.redis.url, prefix: 'chaos', seconds, random: seeded(live ?? 0), tell: progress }));
      } finally {
        await parts.stop();
      }
    }
    for (const [n, seed] of models.entries()) outcomes.push(...(await onTheClock(seed, n, progress)));
    return { invariants: outcomes.flatMap(({ invariants }) => invariants), figures: Object.assign({}, ...outcomes.map(({ figures }) => figures)) as Outcome['figures'] };
  },
};

/** @param n which of the times: its findings are told apart by it */
async function onTheClock(seed: number, n: number, progress: (line: string) => void): Promise<Outcome[]> {
  const random = seeded(seed);
  const outcomes: Outcome[] = [];
  for (const [what, run] of [
    ['500 tenants join at once', () => joining({ tenants: 500, seconds: 4_200, random })],
    ['polite tenants beside a flood', () => polite({ seconds: 3_600, random })],
    ['fifty, with and without the loud one', () => unheard({ seconds: 130, random })],
    ['floods by turns', () => onAndOff({ seconds: 1_920, random })],
    ['weights and costs', () => weighted({ seconds: 1_920, random })],
    ['alone', () => alone({ seconds: 600, random })],
  ] as const) {
    progress(`the model's clock, ${n + 1}: ${what}`);
    const { invariants, figures } = await run();
    outcomes.push({
      invariants: invariants.map((one) => ({ ...one, title: `${n + 1}: ${one.title}` })),
      figures: Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${n + 1}: ${name}`, value])),
    });
  }
  return outcomes;
}

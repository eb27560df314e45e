import { join } from 'node:path';
import { startParts } from '@weir/stack';
import type { Outcome, Scenario } from '../scenario';
import { alone, joining, onAndOff, polite, weighted } from './on-the-clock';
import { onRedis } from './on-redis';

/** What tenants get of a key that all of them want: in real time on Redis, and hours of it on the model's clock. */
export const fairness: Scenario = {
  name: 'fairness',
  title: 'L10 L11: 50 tenants on one key, one at 100 times its share, in real time; 500 who join at once and adversaries on the model’s clock',
  times: 1,
  seconds: 300,
  async run({ seconds, random, directory, progress }) {
    const parts = await startParts({ only: ['redis'], dataDir: join(directory, 'redis'), environment: process.env, progress });
    const outcomes: Outcome[] = [];
    try {
      progress(`50 tenants for ${seconds} s`);
      outcomes.push(await onRedis({ url: parts.redis.url, prefix: 'chaos', seconds, random }));
    } finally {
      await parts.stop();
    }
    for (const [what, run] of [
      ['500 tenants join at once', () => joining({ tenants: 500, seconds: 4_200, random })],
      ['polite tenants beside a flood', () => polite({ seconds: 3_600, random })],
      ['floods by turns', () => onAndOff({ seconds: 1_920, random })],
      ['weights and costs', () => weighted({ seconds: 1_920, random })],
      ['alone', () => alone({ seconds: 600, random })],
    ] as const) {
      progress(`the model's clock: ${what}`);
      outcomes.push(await run());
    }
    return { invariants: outcomes.flatMap(({ invariants }) => invariants), figures: Object.assign({}, ...outcomes.map(({ figures }) => figures)) as Outcome['figures'] };
  },
};

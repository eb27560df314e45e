import { fork } from 'node:child_process';
import { once } from 'node:events';
import { redisLimiterStore, type Bucket, type TenantLimits } from '@weir/limiter';
import { Redis } from 'ioredis';
import type { Side } from '../bench';

const PROCESSES = 4;
const LANES = 16;
export const ADMITTED = 'admitted / bound';
const BUCKET: Bucket = { capacity: 600, refillPerSecond: 1_000 };
export const LIMITS: TenantLimits = { bucket: BUCKET, leaseMs: 1_000 };

export interface Order {
  readonly url: string;
  readonly seconds: number;
  readonly lanes: number;
}
export interface Taken {
  readonly admitted: number;
  readonly operations: number;
}

/** Processes that together want far more of one bucket than it gives; what they get, against capacity + rate × time. */
export function processes(url: string): Side {
  return {
    name: `one bucket, ${PROCESSES} processes`,
    async run(seconds) {
      const redis = new Redis(url);
      await redis.flushall();
      const children = Array.from({ length: PROCESSES }, () => fork(require.resolve('./taker')));
      const serverTime = async () => {
        const [s = 0, us = 0] = (await redis.time()).map(Number);
        return s + us / 1e6;
      };
      await Promise.all(children.map((child) => once(child, 'spawn')));
      // the first takes are the bucket's beginning; time counts from then on by the server's clock, as it does in the limiter
      const store = redisLimiterStore(redis, { prefix: 'bench' });
      const take = { tenant: 'ten_hot', project: 'default', endpoint: 'userid', cost: 0, limits: LIMITS };
      const begun = await serverTime();
      let admitted = 0;
      for (let n = 0; n < 2 * BUCKET.capacity; n++) if ((await store.takeTenant({ ...take, takeId: `first-${n}` })).admitted) admitted += 1;
      for (const child of children) child.send({ url, seconds, lanes: LANES } satisfies Order);
      const taken = await Promise.all(children.map(async (child) => (await once(child, 'message'))[0] as Taken));
      const took = (await serverTime()) - begun;
      await redis.quit();
      admitted += taken.reduce((sum, one) => sum + one.admitted, 0);
      const operations = taken.reduce((sum, one) => sum + one.operations, 0);
      return { operations, seconds, figures: { [ADMITTED]: admitted / (BUCKET.capacity + BUCKET.refillPerSecond * took) } };
    },
  };
}

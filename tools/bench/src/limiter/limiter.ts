import { startParts } from '@weir/stack';
import { join } from 'node:path';
import { ratioGate, type Bench, type Gate } from '../bench';
import { bothSteps } from './both-steps';
import { ADMITTED, processes } from './processes';
import { tenantBucket } from './tenant-bucket';

const MOST_REDIS_MICROS = 60;

/** Decisions a second and what they cost Redis, beside rate-limiter-flexible; whether many processes are given what there is, and no more. */
export const limiter: Bench = {
  name: 'limiter',
  title: 'decisions on 200 tenant buckets, rate-limiter-flexible = 1; both steps at 1,000 tenants; four processes on one bucket',
  async open(ground) {
    const parts = await startParts({ only: ['redis'], dataDir: join(ground.directory, 'redis'), environment: process.env, progress: ground.progress });
    const { url, pid } = parts.redis;
    if (pid !== undefined) ground.server('redis', pid);
    const bucket = tenantBucket(url);
    const steps = bothSteps(url);
    const four = processes(url);
    return {
      sides: [...bucket.sides, ...steps.sides, four],
      gates: [ratioGate(bucket.batched, 1.9), ...steps.decisions.map(cpuGate), ...ratioOfBound(four.name)],
      async close() {
        await bucket.close();
        await steps.close();
        await parts.stop();
      },
    };
  },
};

const cpuGate = (side: string): Gate => ({
  title: `${side}: CPU µs of Redis`,
  value: (resultOf) => resultOf(side)?.cpu['redis'],
  atMost: MOST_REDIS_MICROS,
});

const ratioOfBound = (side: string): Gate[] => [
  { title: `${side}: ${ADMITTED}`, value: (resultOf) => resultOf(side)?.figures[ADMITTED], atLeast: 0.97 },
  { title: `${side}: ${ADMITTED}`, value: (resultOf) => resultOf(side)?.figures[ADMITTED], atMost: 1 },
];

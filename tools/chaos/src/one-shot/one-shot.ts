import { join } from 'node:path';
import { sleep } from '@weir/kernel';
import { memoryLimiterStore, redisLimiterStore, type LimiterStore, type TenantTake } from '@weir/limiter';
import { startParts } from '@weir/stack';
import { Redis } from 'ioredis';
import { invariant, type Invariant, type Run, type Scenario } from '../scenario';

/** As a fetcher's: a call that nobody ends is over after that long. */
const LEASE_MS = 10_000;
const AT_ONCE = 512;
/** What is longest remembered of a take, and how far apart a server looks for what has expired. */
const GONE_WITHIN_MS = 180_000;
const START = Date.UTC(2026, 10, 24, 12);

/** Tenants that call once and never again. */
export const oneShot: Scenario = {
  name: 'one-shot',
  title: 'L3 so many tenants that call once leave nothing behind in the limiter, in Redis and in memory',
  times: 1_000_000,
  async run(run) {
    const redis = await onRedis(run);
    return { invariants: [...redis.invariants, await inMemory(run)], figures: { tenants: run.times, ...redis.figures } };
  },
};

async function onRedis({ times, directory, progress }: Run): Promise<{ invariants: Invariant[]; figures: Record<string, number> }> {
  const parts = await startParts({ only: ['redis'], dataDir: join(directory, 'redis'), durable: false, environment: process.env, progress });
  const connection = new Redis(parts.redis.url);
  try {
    const store = redisLimiterStore(connection, { prefix: 'chaos' });
    const admitted = await allOnce(store, times, async (done) => {
      if (done % Math.ceil(times / 10) < AT_ONCE) progress(`${done} tenants, ${await connection.dbsize()} keys`);
    });
    const [keys, memory] = [await connection.dbsize(), await megabytesOf(connection)];
    const begun = performance.now();
    let left = keys;
    for (; left > 0 && performance.now() - begun < GONE_WITHIN_MS; left = await connection.dbsize()) await sleep(1_000);
    return {
      invariants: [
        invariant('each of them was admitted', admitted === times, { admitted }),
        invariant(`L3 nothing of them is left in Redis ${GONE_WITHIN_MS / 1_000} s after the last`, left === 0, `${left} keys`),
      ],
      figures: { 'keys after the last': keys, 'MB of Redis after the last': memory, 's until nothing was left': Math.round((performance.now() - begun) / 1_000) },
    };
  } finally {
    connection.disconnect();
    await parts.stop();
  }
}

/** On a clock of its own, which jumps past every lease. */
async function inMemory({ times, progress }: Run): Promise<Invariant> {
  progress('in memory');
  let now = START;
  const store = memoryLimiterStore({ clock: () => now });
  await allOnce(store, times, async () => void (now += 5));
  now += GONE_WITHIN_MS;
  // it looks for what is over when it is called
  for (let call = 0; call < times; call++) await store.takeTenant(take('ten_busy', `busy-${call}`));
  const left = store.slots;
  await store.close();
  return invariant('L3 nothing of them is left in memory, while another goes on calling', left === 1, `${left} slots`);
}

async function allOnce(store: LimiterStore, tenants: number, each: (done: number) => Promise<void>): Promise<number> {
  let admitted = 0;
  for (let from = 0; from < tenants; from += AT_ONCE) {
    const answers = await Promise.all(Array.from({ length: Math.min(AT_ONCE, tenants - from) }, (_, n) => store.takeTenant(take(`ten_${from + n}`, `take-${from + n}`))));
    admitted += answers.filter((answer) => answer.admitted).length;
    await each(from);
  }
  return admitted;
}

const take = (tenant: string, takeId: string): TenantTake => ({
  tenant,
  project: 'default',
  takeId,
  endpoint: 'userid',
  cost: 1,
  ledger: undefined,
  limits: { bucket: { capacity: 100, refillPerSecond: 100 }, concurrency: 10, leaseMs: LEASE_MS },
});

async function megabytesOf(connection: Redis): Promise<number> {
  const bytes = Number(/used_memory:(\d+)/.exec(await connection.info('memory'))?.[1] ?? NaN);
  return Math.round(bytes / 2 ** 20);
}

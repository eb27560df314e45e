import { join } from 'node:path';
import { sleep } from '@weir/kernel';
import { Pool } from 'undici';
import { breakableRedis } from '../conservation/breakable';
import { invariant, type Invariant, type Outcome, type Run, type Scenario } from '../scenario';
import { until } from '../trial-to-own-key/operator';
import { startWhole, type Caller, type Whole } from '../whole';
import { TenantLoad, type Tally } from './tenant-load';

const SECRET = 'chaos-redis-platform';
/** Of the shared key: a third of what is asked of it. */
const SHARED = { perMinute: 3_000, burst: 100 };
const SHARING = { tenants: 6, perSecond: 20 };
const ON_OWN_KEYS = { tenants: 2, perSecond: 30, bucket: { capacity: 40, refillPerSecond: 10 } };
const SPENT = { tenants: 2, perSecond: 15, dailyCredits: 300 };
/** How far metering may be behind what fetchers did, s: on a busy machine. */
const BEHIND_S = 5;
const [UP_MS, MORE_UP_MS, DOWN_MS, MORE_DOWN_MS] = [2_500, 2_000, 800, 1_700];
const FIRST_MS = 3_000;

/** Two fetchers on a Redis that is killed under load, and comes back with nothing in it. */
export const redisAway: Scenario = {
  name: 'redis-away',
  title: 'L6 L7 two fetchers under load while their Redis is killed -9 and comes back empty; so many kills',
  times: 20,
  async run(run) {
    const redis = await breakableRedis(join(run.directory, 'redis'), process.env, false);
    try {
      const whole = await startWhole({
        directory: run.directory,
        environment: { WEIR_REDIS_URL: redis.url, WEIR_SIMULATOR_LATENCY_P50_MS: '10', WEIR_HOLD_TIMEOUT_MS: '20000' },
        replicas: { 'upstream-fetcher': 2 },
        progress: run.progress,
      });
      try {
        return await underKills(run, whole, redis);
      } finally {
        await whole.stop();
      }
    } finally {
      await redis.stop();
    }
  },
};

interface Group {
  readonly tenants: readonly Caller[];
  readonly loads: readonly TenantLoad[];
}

async function underKills({ times, random, progress }: Run, whole: Whole, redis: { kill(): Promise<void>; start(): Promise<void> }): Promise<Outcome> {
  await whole.key(SECRET, SHARED);
  await whole.plan('chaos-sharing', {});
  await whole.plan('chaos-bucket', { bucket: ON_OWN_KEYS.bucket });
  await whole.plan('chaos-quota', { dailyCredits: SPENT.dailyCredits });
  const [sharing, own, spent] = [
    await many(whole, SHARING.tenants, 'chaos-sharing', 'shared'),
    await many(whole, ON_OWN_KEYS.tenants, 'chaos-bucket', 'byo'),
    await many(whole, SPENT.tenants, 'chaos-quota', 'byo'),
  ];
  await until(() => metrics(whole, 'weir_limiter_replicas'), (counted) => counted.every((count) => count === 2));

  const attemptsBefore = await whole.attempts(SECRET);
  const pools = (whole.weir.services.get('upstream-fetcher') ?? []).map(({ url }) => new Pool(url, { connections: 256, headersTimeout: 60_000, bodyTimeout: 60_000 }));
  const load = (tenants: readonly Caller[], perSecond: number): Group => ({ tenants, loads: tenants.map((tenant) => new TenantLoad(pools, tenant, perSecond)) });
  const began = performance.now();
  const groups = { sharing: load(sharing, SHARING.perSecond), own: load(own, ON_OWN_KEYS.perSecond), spent: load(spent, SPENT.perSecond) };
  const watching = watchSpent(whole, spent);
  const lostAt: number[] = [];
  await sleep(FIRST_MS);
  for (let kill = 1; kill <= times; kill++) {
    await sleep(UP_MS + MORE_UP_MS * random());
    lostAt.push(performance.now());
    await redis.kill();
    await sleep(DOWN_MS + MORE_DOWN_MS * random());
    await redis.start();
    progress(`kill ${kill}: back after ${Math.round(performance.now() - (lostAt.at(-1) ?? 0))} ms`);
  }
  await sleep(FIRST_MS);
  await Promise.all(Object.values(groups).flatMap(({ loads }) => loads.map((one) => one.end())));
  const tookS = (performance.now() - began) / 1_000;
  const spentAt = watching();
  const back = await until(() => metrics(whole, 'weir_limiter_away'), (away) => away.every((one) => one === 0)).then(() => true, () => false);
  const attempts = (await whole.attempts(SECRET)) - attemptsBefore;
  const outages = await metrics(whole, 'weir_limiter_outages_total');
  const common = await commonAgain(whole, pools, own[0] as Caller);
  await Promise.all(pools.map((pool) => pool.destroy()));

  const tallies = (group: Group): Tally[] => group.loads.map(({ tally }) => tally);
  const all = Object.values(groups).flatMap(tallies);
  const bound = ({ capacity, perSecond }: { capacity: number; perSecond: number }) => Math.ceil(capacity + perSecond * tookS + times * (capacity + perSecond));
  const shared = { capacity: SHARED.burst, perSecond: SHARED.perMinute / 60 };
  const bucket = { capacity: ON_OWN_KEYS.bucket.capacity, perSecond: ON_OWN_KEYS.bucket.refillPerSecond };
  const took = all.flatMap(({ tookMs }) => tookMs).sort((a, b) => a - b);
  return {
    invariants: [
      invariant('L6 no call fails: each is admitted or refused by a limit', all.every(({ broken }) => broken.length === 0), all.flatMap(({ broken }) => broken).slice(0, 5)),
      invariant('L6 the shared key gives one bucket a loss too much at most', attempts <= bound(shared), { attempts, bound: bound(shared) }),
      invariant('L7 the shared key goes on giving, at half of its rate at least', attempts >= 0.5 * shared.perSecond * tookS, { attempts, atItsRate: shared.perSecond * tookS }),
      ...tallies(groups.own).map(({ admitted }, n) => invariant(`L6 tenant ${n + 1}'s own bucket gives one bucket a loss too much at most`, admitted <= bound(bucket), { admitted, bound: bound(bucket) })),
      ...tallies(groups.spent).flatMap((tally, n) => quotaHolds(`tenant ${n + 1}`, tally, spentAt[n], lostAt)),
      invariant('L6 all recovers by itself: limits are decided in Redis again, by every process', back && common, { back, common }),
      invariant('L6 the losses were noticed', outages.every((count) => count >= 1), outages),
    ],
    figures: {
      kills: times,
      'seconds of load': Math.round(tookS),
      calls: took.length,
      'shared key: attempts': attempts,
      'shared key: of its rate alone': Number((attempts / (shared.perSecond * tookS)).toFixed(2)),
      'shared key: of the bound': Number((attempts / bound(shared)).toFixed(2)),
      'own buckets: of the bound at most': Number((Math.max(...tallies(groups.own).map(({ admitted }) => admitted)) / bound(bucket)).toFixed(2)),
      'quotas: credits of 300 at most': Math.max(...tallies(groups.spent).map(({ admitted }) => admitted)),
      'outages that a process noticed at least': Math.min(...outages),
      'p50 ms': Math.round(took[Math.floor(took.length / 2)] ?? 0),
      'p99 ms': Math.round(took[Math.floor(took.length * 0.99)] ?? 0),
    },
  };
}

const many = (whole: Whole, count: number, plan: string, keyMode: 'shared' | 'byo'): Promise<Caller[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const tenant = await whole.tenant(`${plan}-${n + 1}`, plan, keyMode);
      if (keyMode === 'byo') await whole.key(`${tenant.slug}-own`, { perMinute: 1e6, burst: 1e5 }, tenant.id);
      return tenant;
    }),
  );

/** Seeded again and not reset: until it is spent, a loss forgets what metering had not heard; once metering knows that it is, nothing is admitted through any loss. */
function quotaHolds(who: string, { admitted, admittedAt }: Tally, spentAt: number | undefined, lostAt: readonly number[]): Invariant[] {
  if (spentAt === undefined) return [invariant(`L6 ${who} has spent its quota`, false, { admitted })];
  const lossesBefore = lostAt.filter((at) => at < spentAt).length;
  const bound = SPENT.dailyCredits + (lossesBefore + 1) * BEHIND_S * SPENT.perSecond;
  const afterwards = admittedAt.filter((at) => at > spentAt + BEHIND_S * 1_000).length;
  return [
    invariant(`L6 ${who}: its quota is seeded again with what metering knows`, admitted <= bound, { admitted, bound, lossesBefore }),
    invariant(`L6 ${who}: once spent it stays spent, through ${lostAt.length - lossesBefore} losses`, afterwards === 0, `${afterwards} admitted`),
  ];
}

/** Since when metering knows that a tenant's quota is spent, ms of the monotonic clock. */
function watchSpent({ operator }: Whole, tenants: readonly Caller[]): () => (number | undefined)[] {
  const spentAt = tenants.map((): number | undefined => undefined);
  const look = async () => {
    for (const [n, { id }] of tenants.entries()) {
      if (spentAt[n] !== undefined) continue;
      const { totals } = await operator('GET', `/v1/tenants/${id}/usage`);
      if (totals.chargedCredits >= SPENT.dailyCredits) spentAt[n] = performance.now();
    }
  };
  const timer = setInterval(() => void look().catch(() => undefined), 500);
  return () => {
    clearInterval(timer);
    return spentAt;
  };
}

async function metrics({ weir }: Whole, name: string): Promise<number[]> {
  const texts = await Promise.all((weir.services.get('upstream-fetcher') ?? []).map(async ({ managementUrl }) => (await fetch(`${managementUrl}/metrics`)).text()));
  return texts.map((text) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1] ?? NaN));
}

/** Further calls are admitted, and none of them is decided in a process alone. */
async function commonAgain(whole: Whole, pools: readonly Pool[], tenant: Caller): Promise<boolean> {
  // its bucket fills again meanwhile
  await sleep(2_000);
  const before = await metrics(whole, 'weir_limiter_local_decisions_total');
  const load = new TenantLoad(pools, { ...tenant, slug: `${tenant.slug}-again` }, 5);
  await sleep(2_000);
  await load.end();
  const after = await metrics(whole, 'weir_limiter_local_decisions_total');
  return load.tally.admitted > 0 && load.tally.broken.length === 0 && after.every((count, n) => count === before[n]);
}

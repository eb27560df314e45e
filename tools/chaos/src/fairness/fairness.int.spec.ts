import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { seeded, type Outcome } from '../scenario';
import { alone, joining, onAndOff, polite, unheard, weighted } from './on-the-clock';
import { onRedis } from './on-redis';

// What `npm run chaos -- fairness` does at full numbers, at a scale of seconds.
const redisUrl = process.env.WEIR_TEST_REDIS_URL;
if (!redisUrl) throw new Error('WEIR_TEST_REDIS_URL is not set: these tests need a Redis.');

const holds = ({ invariants }: Outcome) => expect(invariants.filter((one) => !one.holds)).toEqual([]);
const random = seeded(6);

it('L10 a hundred tenants join at once beside a flood: no gap beyond three times the ideal, every promise kept', async () => {
  holds(await joining({ tenants: 100, seconds: 400, perSecond: 50, random }));
});

it('L10 tenants below their share are refused no call beside one that floods', async () => {
  holds(await polite({ seconds: 400, perSecond: 50, random }));
});

it('L10 the p99 of the neighbours of one at a hundred times its share rises by a tenth at most', async () => {
  holds(await unheard({ seconds: 20, random }));
});

it('resting between floods brings a tenant nothing', async () => {
  holds(await onAndOff({ seconds: 360, perSecond: 50, random }));
});

it('divides by weight and not by cost, and gives what some leave to the others', async () => {
  holds(await weighted({ seconds: 900, random }));
});

it('L11 gives a tenant who is alone all there is', async () => {
  holds(await alone({ seconds: 300, random }));
});

it('keeps every promise on Redis in real time', async () => {
  const prefix = `chaos-${randomUUID()}`;
  const { invariants } = await onRedis({ url: redisUrl, prefix, seconds: 2, warmMs: 1_000, key: { perMinute: 3_000, burst: 100 }, random });
  expect(invariants.filter(({ title, holds: held }) => title.includes('promise') && !held)).toEqual([]);
  const redis = new Redis(redisUrl);
  const keys = await redis.keys(`${prefix}:*`);
  await redis.unlink(keys);
  await redis.quit();
});

import { startOwnRedis, type OwnRedis } from '@weir/testing';
import { AppError } from '@weir/kernel';
import { Redis } from 'ioredis';
import { limiterConformance } from './conformance';
import { redisLimiterStore } from './redis-store';

describe('Redis limiter store on Valkey', () => {
  let server: OwnRedis | undefined;
  let redis: Redis | undefined;
  let stores = 0;
  // the first time it is brought
  beforeAll(async () => {
    const url = process.env.WEIR_TEST_VALKEY_URL ?? (server = await startOwnRedis('valkey').catch(missing))?.url;
    redis = new Redis(url ?? (process.env.WEIR_TEST_REDIS_URL as string));
  }, 60_000);
  afterAll(async () => {
    await redis?.quit();
    await server?.stop();
  });

  limiterConformance((testClock) => redisLimiterStore(redis as Redis, { prefix: `valkey:${process.pid}:${++stores}`, testClock }));
});

// Where the machine has none, the same suite runs on Redis once more, and says so.
function missing(error: unknown): undefined {
  if (!(error instanceof AppError) || error.code !== 'valkey-missing') throw error;
  process.stderr.write(`NOT TESTED ON VALKEY: ${error.message}\n`);
}

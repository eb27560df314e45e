import { Redis } from 'ioredis';
import { AppError } from '@weir/kernel';
import { memoryLimiterStore, redisLimiterStore, type LimiterStore } from '@weir/limiter';
import { choice, optionalText, text, type Settings } from './settings';

/** Of the services that meet in the limiter: who counts and who shows must look at the same counters. */
export interface LimiterConfig {
  readonly limiter: 'redis' | 'memory';
  readonly redisUrl: string | undefined;
  readonly redisPrefix: string;
}

export const limiterSettings: Settings<LimiterConfig> = {
  limiter: choice('WEIR_LIMITER', 'Where limits are counted; memory is for one process alone', ['redis', 'memory'], 'redis'),
  redisUrl: optionalText('WEIR_REDIS_URL', 'redis://host:port/db; required when WEIR_LIMITER is redis'),
  redisPrefix: text('WEIR_REDIS_PREFIX', 'Begins the name of every key in Redis', 'weir'),
};

/**
 * The configured store and what ends it; a connection that breaks comes back by itself.
 *
 * @throws AppError `bad-configuration`
 */
export function openLimiterStore(
  config: LimiterConfig,
  onError: (error: Error) => void,
): {
  store: LimiterStore;
  /** Resolves when the server answers; undefined where the store is in this process. */
  probe: (() => Promise<unknown>) | undefined;
  close(): Promise<void>;
} {
  if (config.limiter === 'memory') {
    const store = memoryLimiterStore();
    return { store, probe: undefined, close: () => store.close() };
  }
  const redis = openRedis(config, { onError, commandTimeoutMs: 1_000 });
  const store = redisLimiterStore(redis, { prefix: `${config.redisPrefix}:limit` });
  return {
    store,
    probe: () => redis.ping(),
    close: async () => {
      await store.close();
      redis.disconnect();
    },
  };
}

/** A connection that answers with an error at once while Redis is away, instead of letting commands queue. */
export function openRedis(
  config: Pick<LimiterConfig, 'redisUrl'>,
  options: { onError: (error: Error) => void; commandTimeoutMs: number },
): Redis {
  if (config.redisUrl === undefined) {
    throw new AppError(
      'bad-configuration',
      'invalid',
      'bad configuration: WEIR_REDIS_URL must be set when WEIR_LIMITER is redis',
    );
  }
  const redis = new Redis(config.redisUrl, {
    commandTimeout: options.commandTimeoutMs,
    maxRetriesPerRequest: 1,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(times * 50, 1_000),
  });
  redis.on('error', options.onError);
  return redis;
}

import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@weir/kernel';
import { cacheDir, startParts, type Parts } from '@weir/stack';

type Environment = Record<string, string | undefined>;

/** What a run of the tests stands on, and what its workers are told of it. */
export interface TestServers {
  readonly addresses: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Runs at once on one machine, at most: each has a directory of its own. */
const RUNS = 9;

/** Servers that the environment names (`WEIR_TEST_…`) are used; the others are started. */
export async function startTestServers(environment: Environment, progress: (line: string) => void): Promise<TestServers> {
  const given: Environment = {
    PATH: environment['PATH'],
    JAVA_HOME: environment['JAVA_HOME'],
    WEIR_STACK_CACHE: environment['WEIR_STACK_CACHE'],
    WEIR_POSTGRES_ADMIN_URL: environment['WEIR_TEST_POSTGRES_URL'],
    WEIR_KAFKA_BROKERS: environment['WEIR_TEST_KAFKA_BROKERS'],
    WEIR_REDIS_URL: environment['WEIR_TEST_REDIS_URL'],
    AWS_ENDPOINT_URL: environment['WEIR_TEST_KMS_URL'],
    WEIR_KMS_KEY_ID: environment['WEIR_TEST_KMS_KEY_ID'],
  };
  const parts = await onFreeDirectory(given, progress);
  return {
    addresses: {
      WEIR_TEST_POSTGRES_URL: parts.postgres.adminUrl,
      WEIR_TEST_KAFKA_BROKERS: parts.kafka.brokers,
      WEIR_TEST_REDIS_URL: parts.redis.url,
      WEIR_TEST_KMS_URL: parts.kms.url,
      WEIR_TEST_KMS_KEY_ID: parts.kms.keyId,
    },
    stop: parts.stop,
  };
}

/** Not below the repository: PostgreSQL cannot follow there when root runs the tests in a directory of its own. */
async function onFreeDirectory(environment: Environment, progress: (line: string) => void): Promise<Parts> {
  const checkout = createHash('sha256').update(cacheDir(environment)).digest('hex').slice(0, 8);
  for (let run = 1; ; run++) {
    const dataDir = join(tmpdir(), `weir-tests-${process.getuid?.() ?? 0}-${checkout}`, String(run));
    try {
      return await startParts({ dataDir, environment, durable: false, progress });
    } catch (error) {
      if (run === RUNS || !(error instanceof AppError && error.code === 'data-directory-in-use')) throw error;
    }
  }
}

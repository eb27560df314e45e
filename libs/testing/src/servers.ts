import { randomBytes } from 'node:crypto';

/** Where the servers of this test run are: brought up by tools/test, or given by who runs it. */
export interface Servers {
  /** A superuser's. */
  readonly postgresUrl: string;
  readonly kafkaBrokers: string;
  readonly redisUrl: string;
  readonly kmsUrl: string;
  /** A symmetric key there. */
  readonly kmsKeyId: string;
}

export const servers = (): Servers => ({
  postgresUrl: address('WEIR_TEST_POSTGRES_URL'),
  kafkaBrokers: address('WEIR_TEST_KAFKA_BROKERS'),
  redisUrl: address('WEIR_TEST_REDIS_URL'),
  kmsUrl: address('WEIR_TEST_KMS_URL'),
  kmsKeyId: address('WEIR_TEST_KMS_KEY_ID'),
});

function address(variable: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: run the specs through npm test, which brings the servers up`);
  return value;
}

/** In front of topics and groups, of Redis keys, of names: no two specs share one. */
export const freshPrefix = (): string => `test${process.env['JEST_WORKER_ID'] ?? '0'}-${randomBytes(5).toString('hex')}.`;

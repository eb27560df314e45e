import { MIGRATOR, loginOf, type ServiceName } from '@weir/tenancy';
import { localCredentials } from '../parts/kms';
import type { Environment } from '../parts/part';
import type { Parts } from '../parts';

export interface Surroundings {
  readonly parts: Parts;
  /** Of Weir's database, as the superuser. */
  readonly databaseUrl: string;
  readonly loginPassword: string;
  readonly redisUrl: string;
  readonly topicPrefix: string;
  readonly simulatorUrl: string;
  readonly operatorToken: string;
  /** Of the launcher: every WEIR_… there reaches every service. */
  readonly environment: Environment;
}

/** What one service finds in its environment; the registry alone is given the login that owns the schemas. */
export function environmentOf(service: ServiceName, around: Surroundings): Environment {
  const { parts, environment } = around;
  const url = loginUrl(around, loginOf(service));
  return {
    // a real upstream has no such account: its statements are imported
    ...(environment['WEIR_UPSTREAM_URL'] ? {} : { WEIR_UPSTREAM_LEDGER_URL: around.simulatorUrl }),
    ...settingsOf(environment),
    PATH: environment['PATH'],
    KAFKAJS_NO_PARTITIONER_WARNING: '1',
    WEIR_BUS: 'kafka',
    WEIR_KAFKA_BROKERS: parts.kafka.brokers,
    WEIR_TOPIC_PREFIX: around.topicPrefix,
    WEIR_POSTGRES_URL: url,
    WEIR_POSTGRES_DIRECT_URL: url,
    ...(service === 'tenant-registry' ? { WEIR_POSTGRES_MIGRATOR_URL: loginUrl(around, MIGRATOR) } : {}),
    WEIR_LIMITER: 'redis',
    WEIR_REDIS_URL: around.redisUrl,
    WEIR_KEY_ENCRYPTION: 'kms',
    WEIR_KMS_KEY_ID: parts.kms.keyId,
    ...localCredentials,
    AWS_ENDPOINT_URL: parts.kms.url,
    WEIR_OPERATOR_TOKEN: around.operatorToken,
    WEIR_UPSTREAM_URL: environment['WEIR_UPSTREAM_URL'] || around.simulatorUrl,
    WEIR_SIMULATOR_URL: around.simulatorUrl,
  };
}

const settingsOf = (environment: Environment): Environment => Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('WEIR_')));

function loginUrl({ databaseUrl, loginPassword }: Surroundings, login: string): string {
  const url = new URL(databaseUrl);
  url.username = login;
  url.password = loginPassword;
  return url.href;
}

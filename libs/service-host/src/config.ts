import { choice, choices, databases, integer, optionalText, text, type Settings } from './settings';
import { tokenSetting } from './token-setting';

/** What every service needs to be told. */
export interface CommonConfig {
  readonly host: string;
  readonly port: number;
  readonly managementPort: number;
  readonly dataDir: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly postgresUrl: string;
  readonly postgresDirectUrl: string | undefined;
  readonly postgresPoolSize: number;
  /** Other databases that tenants may live in, by name. */
  readonly clusters: Readonly<Record<string, string>>;
  readonly bus: 'kafka' | 'postgres';
  readonly kafkaBrokers: string | undefined;
  readonly topicPrefix: string;
  readonly operatorToken: string | undefined;
  readonly roles: ('http' | 'jobs' | 'relay')[];
  readonly staleAfterMs: number;
}

export const commonSettings: Settings<CommonConfig> = {
  host: text('WEIR_HOST', 'Address to listen on', '127.0.0.1'),
  port: integer('WEIR_PORT', 'Port of the API; 0 takes any free one', 8080, { max: 65_535 }),
  managementPort: integer('WEIR_MANAGEMENT_PORT', 'Port of /livez, /readyz and /metrics; 0 takes any free one', 9090, { max: 65_535 }),
  dataDir: text('WEIR_DATA_DIR', 'Directory for local files', '.weir'),
  logLevel: choice('WEIR_LOG_LEVEL', 'How much to log', ['debug', 'info', 'warn', 'error', 'silent'], 'info'),
  postgresUrl: text('WEIR_POSTGRES_URL', "The service's own login; it may go through PgBouncer in transaction mode"),
  postgresDirectUrl: optionalText('WEIR_POSTGRES_DIRECT_URL', 'The same login past the pooler, for LISTEN and leases'),
  postgresPoolSize: integer('WEIR_POSTGRES_POOL_SIZE', 'Connections at most', 10, { min: 1, max: 500 }),
  clusters: databases('WEIR_CLUSTERS', 'Other databases that tenants may live in, JSON of names to URLs; one without a login takes that of WEIR_POSTGRES_URL'),
  bus: choice('WEIR_BUS', 'What carries events and records', ['kafka', 'postgres'], 'kafka'),
  kafkaBrokers: optionalText('WEIR_KAFKA_BROKERS', 'host:port, comma-separated; required when WEIR_BUS is kafka'),
  topicPrefix: text('WEIR_TOPIC_PREFIX', 'Put before the names of topics and groups, where several Weirs share one Kafka', ''),
  operatorToken: tokenSetting('WEIR_OPERATOR_TOKEN', 'The token of the operator; without one nobody is'),
  roles: choices('WEIR_ROLES', 'What this process does, comma-separated', ['http', 'jobs', 'relay'], 'http,jobs,relay'),
  staleAfterMs: integer('WEIR_STALE_AFTER_MS', 'Age past which state tables are not trusted', 120_000, { min: 1_000 }),
};

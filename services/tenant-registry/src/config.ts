import { databases, integer, optionalText, text, type Settings } from '@weir/service-host';

export interface RegistryConfig {
  readonly migratorUrl: string;
  readonly migratorClusters: Readonly<Record<string, string>>;
  readonly lagTenants: number;
}

export const settings: Settings<RegistryConfig> = {
  migratorUrl: text('WEIR_POSTGRES_MIGRATOR_URL', 'Login weir_migrator, which owns the schemas; used to provision, migrate and move tenants, for nothing else; a direct connection, past any pooler'),
  migratorClusters: databases('WEIR_POSTGRES_MIGRATOR_CLUSTERS', 'The same login at the clusters, where it is another one than at home; else WEIR_CLUSTERS with the login of WEIR_POSTGRES_MIGRATOR_URL'),
  lagTenants: integer('WEIR_RELAY_LAG_TENANTS', 'How many tenants have metrics of their own while their log waits for the relay: those that wait longest', 1_000, { min: 0, max: 20_000 }),
};

/** Of the command that prepares database and topics. */
export interface MigrateConfig {
  readonly adminUrl: string;
  readonly loginPassword: string | undefined;
  readonly kafkaBrokers: string | undefined;
  readonly topicPrefix: string;
  readonly clusters: Readonly<Record<string, string>>;
}

export const migrateSettings: Settings<MigrateConfig> = {
  adminUrl: text('WEIR_POSTGRES_ADMIN_URL', 'A login that may create roles and schemas'),
  clusters: databases('WEIR_CLUSTERS', 'Other databases that tenants may live in, to be prepared too; the login is that of WEIR_POSTGRES_ADMIN_URL'),
  loginPassword: optionalText('WEIR_LOGIN_PASSWORD', "Password for the services' logins; unset leaves theirs alone"),
  kafkaBrokers: optionalText('WEIR_KAFKA_BROKERS', 'host:port, comma-separated; unset leaves the topics alone'),
  topicPrefix: text('WEIR_TOPIC_PREFIX', 'Put before the names of topics', ''),
};

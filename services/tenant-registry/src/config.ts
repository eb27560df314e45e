import { optionalText, text, type Settings } from '@weir/service-host';

export interface RegistryConfig {
  readonly migratorUrl: string;
}

export const settings: Settings<RegistryConfig> = {
  migratorUrl: text('WEIR_POSTGRES_MIGRATOR_URL', 'Login weir_migrator, which owns the schemas; used to provision tenants, for nothing else'),
};

/** Of the command that prepares database and topics. */
export interface MigrateConfig {
  readonly adminUrl: string;
  readonly loginPassword: string | undefined;
  readonly kafkaBrokers: string | undefined;
  readonly topicPrefix: string;
}

export const migrateSettings: Settings<MigrateConfig> = {
  adminUrl: text('WEIR_POSTGRES_ADMIN_URL', 'A login that may create roles and schemas'),
  loginPassword: optionalText('WEIR_LOGIN_PASSWORD', "Password for the services' logins; unset leaves theirs alone"),
  kafkaBrokers: optionalText('WEIR_KAFKA_BROKERS', 'host:port, comma-separated; unset leaves the topics alone'),
  topicPrefix: text('WEIR_TOPIC_PREFIX', 'Put before the names of topics', ''),
};

import { catalogSettings, integer, keyEncryptionSettings, optionalText, url, type CatalogConfig, type KeyEncryptionConfig, type Settings } from '@weir/service-host';
import { tiklive } from '@weir/upstream-catalog';

/** As terraform/modules/secrets names it. */
export const PLATFORM_KEY_SECRET = 'tiklive/platform-key';

export interface VaultConfig extends CatalogConfig, KeyEncryptionConfig {
  readonly upstreamUrl: string;
  readonly testCallTimeoutMs: number;
  readonly confirmAfterMs: number;
  readonly stormKeys: number;
  readonly stormWindowMs: number;
  readonly drainMs: number;
  readonly recheckMs: number;
  readonly jobsEveryMs: number;
  readonly dataKeyMaxSeals: number;
  readonly retireAfterMs: number;
  readonly rotationTurnMs: number;
  readonly platformKeySecrets: string | undefined;
  readonly balanceEveryMs: number;
  readonly creditAlertDays: number;
  readonly creditFloor: number;
  readonly checkEveryMs: number;
}

export const settings: Settings<VaultConfig> = {
  ...catalogSettings,
  ...keyEncryptionSettings,
  upstreamUrl: url('WEIR_UPSTREAM_URL', 'Where the upstream is', tiklive.origin),
  testCallTimeoutMs: integer('WEIR_TEST_CALL_TIMEOUT_MS', 'Longest wait for the answer to a test call of a key', 8_000, {
    min: 1,
  }),
  confirmAfterMs: integer('WEIR_KEY_CONFIRM_AFTER_MS', 'Wait between the two refusals that make a key invalid', 2_000),
  stormKeys: integer(
    'WEIR_REFUSAL_STORM_KEYS',
    'Keys refused by the upstream within the window from which on it is taken for its own trouble: none becomes invalid',
    5,
    { min: 2 },
  ),
  stormWindowMs: integer('WEIR_REFUSAL_STORM_WINDOW_MS', 'Window in which refusals of different keys are counted together', 60_000, { min: 1 }),
  drainMs: integer('WEIR_KEY_DRAIN_MS', 'How long calls in flight may finish on the version that a rotation replaced', 300_000),
  recheckMs: integer(
    'WEIR_KEY_RECHECK_MS',
    'First wait before a key without credits, or without a verdict, is tried again; doubles up to six hours',
    300_000,
    { min: 1 },
  ),
  jobsEveryMs: integer(
    'WEIR_KEY_JOBS_EVERY_MS',
    'Wait between looks for versions that have drained and keys to look at again',
    1_000,
    { min: 10 },
  ),
  dataKeyMaxSeals: integer(
    'WEIR_DATA_KEY_MAX_SEALS',
    'Secrets sealed under one data key of a tenant before the next one is made',
    100_000,
    { min: 1 },
  ),
  retireAfterMs: integer(
    'WEIR_KEY_RETIRE_AFTER_MS',
    'Wait after a rotation of the local key-encryption key before its older keys are destroyed: fetchers hear of the new ones meanwhile',
    60_000,
  ),
  rotationTurnMs: integer(
    'WEIR_KEY_ROTATION_TURN_MS',
    "Longest a tenant's turn in a rotation takes; one whose process died is taken up by another after it",
    30_000,
    { min: 1 },
  ),
  platformKeySecrets: optionalText(
    'WEIR_PLATFORM_KEY_SECRETS',
    `Entries of AWS Secrets Manager, with commas between them, whose upstream keys are handed in while the platform has none; ${PLATFORM_KEY_SECRET} with WEIR_KEY_ENCRYPTION kms when unset`,
  ),
  balanceEveryMs: integer('WEIR_BALANCE_EVERY_MS', "Wait between looks at the credits left of the platform's keys", 60_000, { min: 10 }),
  creditFloor: integer('WEIR_CREDIT_FLOOR', 'Credits below which the report on a key says that they end soon', 100),
  checkEveryMs: integer('WEIR_KEY_CHECK_EVERY_MS', 'Wait between checks of a key that works, without anyone asking', 86_400_000, { min: 1 }),
  creditAlertDays: integer('WEIR_CREDIT_ALERT_DAYS', 'Days before the forecast end of credits from which on it is an event', 7),
};

import { dirname, join } from 'node:path';
import {
  awsKmsKeyEncryption,
  createEnvelope,
  fileShredKeys,
  localKeyEncryption,
  secretsManagerShredKeys,
  shreddable,
  type Envelope,
  type KeyEncryption,
  type ShredKeys,
} from '@weir/envelope';
import { AppError } from '@weir/kernel';
import type { CommonConfig } from './config';
import { choice, integer, optionalText, text, type Settings } from './settings';

/** Of the services that seal or open upstream keys. */
export interface KeyEncryptionConfig {
  readonly keyEncryption: 'kms' | 'local';
  readonly kmsKeyId: string | undefined;
  readonly keyFile: string | undefined;
  readonly shredKeys: 'auto' | 'secrets-manager' | 'file' | 'none';
  readonly shredKeyPrefix: string;
  readonly dataKeyCacheEntries: number;
  readonly dataKeyCacheAgeMs: number;
  readonly dataKeyCacheUses: number;
}

export const keyEncryptionSettings: Settings<KeyEncryptionConfig> = {
  keyEncryption: choice(
    'WEIR_KEY_ENCRYPTION',
    'What holds the key-encryption key: AWS KMS, or a file on this machine',
    ['kms', 'local'],
    'kms',
  ),
  kmsKeyId: optionalText(
    'WEIR_KMS_KEY_ID',
    'Id, ARN or alias of the symmetric KMS key; required when WEIR_KEY_ENCRYPTION is kms',
  ),
  keyFile: optionalText(
    'WEIR_KEY_FILE',
    'File of the local key-encryption key, made with mode 0600; key-encryption.key in WEIR_DATA_DIR when unset',
  ),
  shredKeys: choice(
    'WEIR_SHRED_KEYS',
    "Where each tenant's second key stands, whose end makes the tenant's keys unreadable in every backup; auto: in AWS Secrets Manager beside KMS, in files beside a local key",
    ['auto', 'secrets-manager', 'file', 'none'],
    'auto',
  ),
  shredKeyPrefix: text('WEIR_SHRED_KEY_PREFIX', "Before the tenant's id in the names of those secrets", 'weir/shred/'),
  dataKeyCacheEntries: integer('WEIR_DATA_KEY_CACHE_ENTRIES', 'Tenants whose data key is kept in memory at most', 5_000, {
    min: 1,
  }),
  dataKeyCacheAgeMs: integer(
    'WEIR_DATA_KEY_CACHE_AGE_MS',
    'Longest a data key is kept: how soon a disabled KMS key stops opening',
    300_000,
    { min: 1 },
  ),
  dataKeyCacheUses: integer('WEIR_DATA_KEY_CACHE_USES', 'Uses of a kept data key before it is unwrapped again', 1_000_000, {
    min: 1,
  }),
};

type Config = KeyEncryptionConfig & Pick<CommonConfig, 'dataDir'>;

/**
 * The envelope over the configured key-encryption key; its `close` belongs to the service's shutdown. KMS itself is asked with the first
 * secret, so that a process starts while KMS is away.
 *
 * @throws AppError `bad-configuration`, `key-file-exposed`, `key-file-unreadable`
 */
export function openEnvelope(config: Config): Envelope {
  const shredKeys = openShredKeys(config);
  const keyEncryption = keyEncryptionOf(config);
  return createEnvelope({
    keyEncryption: shredKeys === undefined ? keyEncryption : shreddable(keyEncryption, shredKeys),
    dataKeys: { maxEntries: config.dataKeyCacheEntries, maxAgeMs: config.dataKeyCacheAgeMs, maxUses: config.dataKeyCacheUses },
  });
}

/** undefined: there are none, and destroying a tenant's keys reaches no backup. */
export function openShredKeys(config: Config): ShredKeys | undefined {
  const { shredKeys, keyEncryption, shredKeyPrefix: prefix } = config;
  switch (shredKeys === 'auto' ? (keyEncryption === 'kms' ? 'secrets-manager' : 'file') : shredKeys) {
    case 'secrets-manager':
      return secretsManagerShredKeys({ prefix });
    case 'file':
      // beside the key file, which is where vault and fetcher find the same
      return fileShredKeys({ directory: join(dirname(keyFileOf(config)), 'shred-keys') });
    case 'none':
      return undefined;
  }
}

const keyFileOf = ({ keyFile, dataDir }: Config): string => keyFile ?? join(dataDir, 'key-encryption.key');

function keyEncryptionOf(config: Config): KeyEncryption {
  const { keyEncryption, kmsKeyId } = config;
  if (keyEncryption === 'local') return localKeyEncryption({ keyFile: keyFileOf(config) });
  if (kmsKeyId !== undefined) return awsKmsKeyEncryption({ keyId: kmsKeyId });
  throw new AppError(
    'bad-configuration',
    'invalid',
    'bad configuration: WEIR_KMS_KEY_ID must be set when WEIR_KEY_ENCRYPTION is kms',
  );
}

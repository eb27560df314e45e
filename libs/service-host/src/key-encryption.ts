import { join } from 'node:path';
import { awsKmsKeyEncryption, createEnvelope, localKeyEncryption, type Envelope, type KeyEncryption } from '@weir/envelope';
import { AppError } from '@weir/kernel';
import type { CommonConfig } from './config';
import { choice, integer, optionalText, type Settings } from './settings';

/** Of the services that seal or open upstream keys. */
export interface KeyEncryptionConfig {
  readonly keyEncryption: 'kms' | 'local';
  readonly kmsKeyId: string | undefined;
  readonly keyFile: string | undefined;
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

/**
 * The envelope over the configured key-encryption key; its `close` belongs to the service's shutdown. KMS itself is asked with the first
 * secret, so that a process starts while KMS is away.
 *
 * @throws AppError `bad-configuration`, `key-file-exposed`, `key-file-unreadable`
 */
export const openEnvelope = (config: KeyEncryptionConfig & Pick<CommonConfig, 'dataDir'>): Envelope =>
  createEnvelope({
    keyEncryption: keyEncryptionOf(config),
    dataKeys: { maxEntries: config.dataKeyCacheEntries, maxAgeMs: config.dataKeyCacheAgeMs, maxUses: config.dataKeyCacheUses },
  });

function keyEncryptionOf({
  keyEncryption,
  kmsKeyId,
  keyFile,
  dataDir,
}: KeyEncryptionConfig & Pick<CommonConfig, 'dataDir'>): KeyEncryption {
  if (keyEncryption === 'local') return localKeyEncryption({ keyFile: keyFile ?? join(dataDir, 'key-encryption.key') });
  if (kmsKeyId !== undefined) return awsKmsKeyEncryption({ keyId: kmsKeyId });
  throw new AppError(
    'bad-configuration',
    'invalid',
    'bad configuration: WEIR_KMS_KEY_ID must be set when WEIR_KEY_ENCRYPTION is kms',
  );
}

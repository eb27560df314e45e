import { awsKmsKeyEncryption, type AwsKmsOptions } from './aws-kms';
import { encryptionContext, type WrappedDataKey } from './data-key-cache';
import type { EncryptionContext, KeyEncryption } from './key-encryption';
import { localKeyEncryptionOf, wrapUnder } from './local-key';
import { TRANSFER_PURPOSE } from './transfer-purpose';

/** Who is to open a handed data key: a KMS key of theirs, or a key of 32 bytes that was carried from one side to the other. */
export type Recipient = { readonly kmsKeyId: string } | { readonly transferKey: Buffer };

const inTransfer = (context: EncryptionContext): EncryptionContext => ({ ...context, purpose: TRANSFER_PURPOSE });

/**
 * A data key wrapped for another installation, without the layer of the shred key: the one form in which a tenant's data key outlives the
 * tenant's shred key, for as long as the recipient has its own. For a KMS key the data key stays within KMS (`ReEncrypt`); for a transfer key it
 * is in memory for a moment.
 */
export async function handOver(keyEncryption: KeyEncryption, dataKey: WrappedDataKey, to: Recipient): Promise<WrappedDataKey> {
  const context = encryptionContext(dataKey);
  const handed = { ...dataKey, purpose: TRANSFER_PURPOSE };
  if ('kmsKeyId' in to) return { ...handed, ...(await keyEncryption.rewrap(dataKey, context, { under: to.kmsKeyId, context: inTransfer(context) })) };
  const plaintext = await keyEncryption.unwrap(dataKey, context);
  try {
    return { ...handed, ...wrapUnder(to.transferKey, plaintext, inTransfer(context)) };
  } finally {
    plaintext.fill(0);
  }
}

/** For an envelope that opens with handed data keys, as if they were the tenant's own, and does nothing else. `close` overwrites the transfer key. */
export function handedKeyEncryption(by: { readonly transferKey: Buffer } | { readonly kms: AwsKmsOptions }): KeyEncryption {
  const inner = 'kms' in by ? awsKmsKeyEncryption(by.kms) : localKeyEncryptionOf(by.transferKey);
  return { ...inner, unwrap: (key, context) => inner.unwrap(key, inTransfer(context)) };
}

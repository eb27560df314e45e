export { Envelope, createEnvelope, type EnvelopeOptions, type EnvelopeStats } from './envelope';
export type { DataKeyBounds, DataKeyStats, WrappedDataKey } from './data-key-cache';
export { MAX_PLAINTEXT_BYTES, dataKeyVersionOf, type SecretContext } from './sealed-secret';
export type { EncryptionContext, KeyEncryption, WrappedKey } from './key-encryption';
export { localKeyEncryption } from './local-key';
export { handedKeyEncryption, type Recipient } from './handed-keys';
export { TRANSFER_PURPOSE } from './transfer-purpose';
export { awsKmsKeyEncryption, type AwsKmsOptions } from './aws-kms';
export { fileShredKeys } from './file-shred-keys';
export { secretsManagerShredKeys } from './secrets-manager-shred-keys';
export { shreddable } from './shreddable';
export type { ShredKeys } from './shred-keys';
export { keyShredded, keyEncryptionRefused, keyEncryptionUnavailable, unreadableSecret } from './errors';
export {
  UPSTREAM_KEY_PURPOSE,
  openUpstreamKey,
  sealedKeyMembers,
  upstreamKeyContext,
  type SealedKeyVersion,
  type UpstreamKeyPlace,
} from './upstream-key-secret';

/** Bound to the data key when it is wrapped; unwrapping needs the very same. AWS KMS logs it in the clear: no secret in it. */
export interface EncryptionContext {
  readonly tenant_id: string;
  readonly purpose: string;
  readonly data_key_version: string;
}

/** A data key as it is stored: encrypted under the key-encryption key that `kekId` names (an ARN, or `local:…`). */
export interface WrappedKey {
  readonly kekId: string;
  readonly wrapped: Buffer;
}

/** Where a data key is wrapped anew, as far as it is not where it was and where new ones go. */
export interface WrapTarget {
  /** As `kekId` names it. */
  readonly under?: string | undefined;
  readonly context?: EncryptionContext | undefined;
}

/**
 * The port to what holds the key-encryption key: AWS KMS in production, a local key file in the embedded shape.
 *
 * Errors are AppErrors of three codes: `unreadable-secret` (these bytes, this context and this key do not belong together),
 * `key-encryption-refused` (the key is unknown, denied, disabled or being deleted), `key-encryption-unavailable` (try again).
 */
export interface KeyEncryption {
  /** Which adapter it is, for logs and metrics: `aws-kms`, `local`. */
  readonly name: string;
  /**
   * A new 256-bit data key, in plaintext and wrapped. The caller overwrites the plaintext after use.
   *
   * @param under a key-encryption key that the holder has, as `kekId` names it, in place of the usual one: a tenant's own KMS key
   */
  generateDataKey(context: EncryptionContext, under?: string): Promise<WrappedKey & { readonly plaintext: Buffer }>;
  /** The 32 bytes of a data key; the caller owns the buffer and overwrites it after use. */
  unwrap(key: WrappedKey, context: EncryptionContext): Promise<Buffer>;
  /**
   * The same data key under the key that new ones go under, or under another and in another context, without its plaintext leaving the holder
   * where that can be helped.
   */
  rewrap(key: WrappedKey, context: EncryptionContext, to?: WrapTarget): Promise<WrappedKey>;
  /** The key that new data keys go under. */
  currentKekId(): Promise<string>;
  /**
   * As {@link currentKekId}, after it has changed: where Weir holds the key itself, a new one is made, once a label; AWS KMS's keys are
   * turned over by their administrator, and the configured one is named.
   */
  turnOver(label: string): Promise<string>;
  /** Nothing is wrapped under any other than `kekId` any more: what Weir holds of the others is destroyed. Unless `kekId` is itself an older one. */
  retireOthers(kekId: string): Promise<void>;
  /** Lets go of sockets and of key material; the adapter is not used afterwards. */
  close(): void;
}

export const DATA_KEY_BYTES = 32;

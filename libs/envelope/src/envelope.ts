import { randomBytes } from 'node:crypto';
import { AppError, invalid, systemClock, type Clock, type TenantId } from '@weir/kernel';
import { DataKeyCache, encryptionContext, type DataKeyBounds, type DataKeyStats, type WrappedDataKey } from './data-key-cache';
import { unreadableSecret } from './errors';
import { handOver, type Recipient } from './handed-keys';
import type { KeyEncryption } from './key-encryption';
import { openMessage, sealMessage, wipeMessageKey } from './message-key';
import { MAX_PLAINTEXT_BYTES, NONCE_BYTES, SALT_BYTES, contextBytes, parseSealed, type SecretContext } from './sealed-secret';

export interface EnvelopeOptions {
  readonly keyEncryption: KeyEncryption;
  readonly dataKeys: DataKeyBounds;
  readonly clock?: Clock;
}

export interface EnvelopeStats extends DataKeyStats {
  /** Requests made to the key-encryption service: data keys made, unwrapped and rewrapped, failures included. */
  readonly keyEncryptionCalls: number;
  /** HKDF runs for opening; the other opens found their message key in memory. */
  readonly derivations: number;
}

/**
 * Secrets sealed under a tenant's data key, which is itself wrapped under a key-encryption key. Format and reasons:
 * docs/envelope-format.md. No plaintext is ever part of an error.
 */
export class Envelope {
  private readonly cache: DataKeyCache;
  private readonly keyEncryption: KeyEncryption;
  private created = 0;
  private derivations = 0;

  constructor(options: EnvelopeOptions) {
    this.keyEncryption = options.keyEncryption;
    this.cache = new DataKeyCache(options.keyEncryption, options.dataKeys, options.clock ?? systemClock);
  }

  /** A new data key for a tenant. Seal under the newest version, and keep the old ones while secrets are left under them. */
  async createDataKey(tenantId: TenantId, purpose: string, version: number, under?: string): Promise<WrappedDataKey> {
    this.created++;
    const { plaintext, wrapped, kekId } = await this.keyEncryption.generateDataKey(encryptionContext({ tenantId, purpose, version }), under);
    plaintext.fill(0);
    return { tenantId, purpose, version, kekId, wrapped };
  }

  /** The same data key under the key-encryption key of today, or `under` another; what is sealed under it stays as it is. */
  async rewrapDataKey(dataKey: WrappedDataKey, under?: string): Promise<WrappedDataKey> {
    this.created++;
    return { ...dataKey, ...(await this.keyEncryption.rewrap(dataKey, encryptionContext(dataKey), { under })) };
  }

  /** The same data key for another installation, see {@link handOver}. */
  handOver(dataKey: WrappedDataKey, to: Recipient): Promise<WrappedDataKey> {
    this.created++;
    return handOver(this.keyEncryption, dataKey, to);
  }

  /** See {@link KeyEncryption.currentKekId}. */
  currentKekId(): Promise<string> {
    this.created++;
    return this.keyEncryption.currentKekId();
  }

  /** See {@link KeyEncryption.turnOver}. */
  turnOver(label: string): Promise<string> {
    this.created++;
    return this.keyEncryption.turnOver(label);
  }

  /** See {@link KeyEncryption.retireOthers}. */
  retireOthers(kekId: string): Promise<void> {
    return this.keyEncryption.retireOthers(kekId);
  }

  /**
   * The sealed bytes, 99 longer than the plaintext (1 to 65,536 bytes). The caller overwrites its own plaintext.
   *
   * @throws AppError `invalid-request`, or one of the key-encryption codes.
   */
  async seal(input: SecretContext & { plaintext: Buffer | string; dataKey: WrappedDataKey }): Promise<Buffer> {
    const { dataKey } = input;
    const context = belongs(input, dataKey) ? contextBytes(input, dataKey.version) : undefined;
    if (!context) throw new AppError('invalid-secret-context', 'internal', 'The secret and its data key must name one tenant and purpose.');
    return withBytes(input.plaintext, (plaintext) =>
      this.cache.use(dataKey, (key) => {
        const [salt, nonce] = [randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES)];
        const messageKey = key.newMessageKey(salt, context);
        const sealed = sealMessage(messageKey, { plaintext, context, dataKeyVersion: dataKey.version, salt, nonce });
        wipeMessageKey(messageKey);
        return sealed;
      }),
    );
  }

  /**
   * The plaintext, in a buffer that the caller overwrites after use.
   *
   * @throws AppError `unreadable-secret` for whatever is wrong with the bytes or their place; `key-encryption-…` for trouble on the way.
   */
  async open(sealed: Buffer, place: SecretContext & { dataKey: WrappedDataKey }): Promise<Buffer> {
    const { dataKey } = place;
    const parts = parseSealed(sealed);
    if (!parts || parts.dataKeyVersion !== dataKey.version || !belongs(place, dataKey)) throw unreadableSecret();
    const context = contextBytes(place, dataKey.version);
    if (!context) throw unreadableSecret();
    const plaintext = await this.cache.use(dataKey, (key) => {
      const { messageKey, derived } = key.messageKey(parts.salt, context);
      if (derived) this.derivations++;
      return openMessage(messageKey, parts, context);
    });
    if (!plaintext) throw unreadableSecret();
    return plaintext;
  }

  /**
   * Tells equal secrets of one tenant apart from others without showing them: `<data key version>-<32 hex digits>`, an HMAC under a
   * key derived from the data key. A plain hash would let anyone who reads an event try candidates, and match keys across tenants.
   */
  async fingerprint(plaintext: Buffer | string, dataKey: WrappedDataKey): Promise<string> {
    return withBytes(plaintext, (bytes) => this.cache.use(dataKey, (key) => `${dataKey.version}-${key.fingerprint(bytes)}`));
  }

  stats(): EnvelopeStats {
    const cache = this.cache.stats();
    return { ...cache, keyEncryptionCalls: this.created + cache.misses, derivations: this.derivations };
  }

  /** Overwrites every data key in memory. What is opened later is unwrapped again. */
  forgetDataKeys(): void {
    this.cache.clear();
  }

  /** At the end of the process: lets go of the data keys and of the key-encryption service. */
  close(): void {
    this.cache.clear();
    this.keyEncryption.close();
  }
}

export const createEnvelope = (options: EnvelopeOptions): Envelope => new Envelope(options);

const belongs = (place: SecretContext, dataKey: WrappedDataKey): boolean =>
  place.tenantId === dataKey.tenantId && place.purpose === dataKey.purpose;

/** A string is copied into bytes that can be overwritten; a buffer stays the caller's. */
async function withBytes<T>(plaintext: Buffer | string, work: (bytes: Buffer) => Promise<T>): Promise<T> {
  const bytes = typeof plaintext === 'string' ? Buffer.from(plaintext, 'utf8') : plaintext;
  if (bytes.length < 1 || bytes.length > MAX_PLAINTEXT_BYTES) throw invalid(`A secret has 1 to ${MAX_PLAINTEXT_BYTES} bytes.`);
  try {
    return await work(bytes);
  } finally {
    if (bytes !== plaintext) bytes.fill(0);
  }
}

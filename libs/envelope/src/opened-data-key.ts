import { createHmac, hkdfSync } from 'node:crypto';
import { deriveMessageKey, wipeMessageKey, type MessageKey } from './message-key';

// A tenant has a handful of keys with two versions each; the platform's pool is the largest user of one data key.
const MAX_MESSAGE_KEYS = 64;
const FINGERPRINT_INFO = 'weir/fingerprint/1';
const FINGERPRINT_BYTES = 16;

/** A data key in memory, with the message keys derived from it for opening: they live and are overwritten together. */
export class OpenedDataKey {
  private readonly messageKeys = new Map<string, MessageKey>();

  constructor(private readonly plaintext: Buffer) {}

  /** For sealing: a fresh salt is used once, so nothing is kept; the caller overwrites it. */
  newMessageKey(salt: Buffer, context: Buffer): MessageKey {
    return deriveMessageKey(this.plaintext, salt, context);
  }

  /** For opening: the least recently used is let go. A forged salt costs a place here and no more. */
  messageKey(salt: Buffer, context: Buffer): { messageKey: MessageKey; derived: boolean } {
    const id = salt.toString('latin1') + context.toString('latin1');
    const known = this.messageKeys.get(id);
    if (known) {
      this.messageKeys.delete(id);
      this.messageKeys.set(id, known);
      return { messageKey: known, derived: false };
    }
    const messageKey = deriveMessageKey(this.plaintext, salt, context);
    this.messageKeys.set(id, messageKey);
    if (this.messageKeys.size > MAX_MESSAGE_KEYS) this.dropOldest();
    return { messageKey, derived: true };
  }

  fingerprint(secret: Buffer): string {
    const key = Buffer.from(hkdfSync('sha256', this.plaintext, '', FINGERPRINT_INFO, 32));
    const mac = createHmac('sha256', key).update(secret).digest();
    key.fill(0);
    return mac.subarray(0, FINGERPRINT_BYTES).toString('hex');
  }

  wipe(): void {
    this.plaintext.fill(0);
    for (const messageKey of this.messageKeys.values()) wipeMessageKey(messageKey);
    this.messageKeys.clear();
  }

  private dropOldest(): void {
    for (const [id, messageKey] of this.messageKeys) {
      wipeMessageKey(messageKey);
      this.messageKeys.delete(id);
      return;
    }
  }
}

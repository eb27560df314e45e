import type { Clock, TenantId } from '@weir/kernel';
import type { EncryptionContext, KeyEncryption, WrappedKey } from './key-encryption';
import { OpenedDataKey } from './opened-data-key';

/** A tenant's data key as it is stored and sent; without the key-encryption key it is no secret. */
export interface WrappedDataKey extends WrappedKey {
  readonly tenantId: TenantId;
  readonly purpose: string;
  /** 1 and up. */
  readonly version: number;
}

/** Past any of them a data key is unwrapped again, so that a disabled key-encryption key stops opening within `maxAgeMs`. */
export interface DataKeyBounds {
  readonly maxEntries: number;
  /** ms, counted from before the request to the key-encryption service. */
  readonly maxAgeMs: number;
  /** Seals, opens and fingerprints. */
  readonly maxUses: number;
}

export interface DataKeyStats {
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
  /** Entries that went for lack of room, by age, or by uses. */
  readonly evictions: number;
}

interface Slot {
  readonly id: string;
  readonly expiresAt: number;
  readonly timer: NodeJS.Timeout;
  opened: Promise<OpenedDataKey>;
  key: OpenedDataKey | undefined;
  uses: number;
  /** Callers between asking and having used it: while there are any, the key is not overwritten under them. */
  pins: number;
  retired: boolean;
}

export const encryptionContext = (key: Pick<WrappedDataKey, 'tenantId' | 'purpose' | 'version'>): EncryptionContext => ({
  tenant_id: key.tenantId,
  purpose: key.purpose,
  data_key_version: String(key.version),
});

/**
 * Data keys in plaintext, bounded by number (least recently used goes first), age and uses; overwritten when they go. Callers that
 * miss together share one request. A failed request is not remembered.
 */
export class DataKeyCache {
  private readonly slots = new Map<string, Slot>();
  private hits = 0;
  private misses = 0;
  private evictions = 0;

  constructor(
    private readonly keyEncryption: KeyEncryption,
    private readonly bounds: DataKeyBounds,
    private readonly clock: Clock,
  ) {
    for (const [name, bound] of Object.entries(bounds)) {
      if (!Number.isSafeInteger(bound) || bound < 1) throw new RangeError(`dataKeys.${name} must be a whole number from 1: ${bound}`);
    }
  }

  /** `work` is synchronous, so that the key never leaves the time in which it is pinned. */
  async use<T>(dataKey: WrappedDataKey, work: (key: OpenedDataKey) => T): Promise<T> {
    const slot = this.pin(dataKey);
    try {
      return work(await slot.opened);
    } finally {
      this.unpin(slot);
    }
  }

  stats(): DataKeyStats {
    return { entries: this.slots.size, hits: this.hits, misses: this.misses, evictions: this.evictions };
  }

  clear(): void {
    for (const slot of [...this.slots.values()]) this.retire(slot);
  }

  private pin(dataKey: WrappedDataKey): Slot {
    const id = identity(dataKey);
    const found = this.slots.get(id);
    if (found && found.uses < this.bounds.maxUses && this.clock() < found.expiresAt) {
      this.hits++;
      found.uses++;
      found.pins++;
      this.slots.delete(id);
      this.slots.set(id, found);
      return found;
    }
    if (found) this.evict(found);
    this.misses++;
    return this.add(id, dataKey);
  }

  private add(id: string, dataKey: WrappedDataKey): Slot {
    const slot: Slot = {
      id,
      expiresAt: this.clock() + this.bounds.maxAgeMs,
      // an idle key goes on time too, and a wall clock that is set back does not keep it
      timer: setTimeout(() => this.evict(slot), Math.min(this.bounds.maxAgeMs, 0x7fff_ffff)).unref(),
      opened: this.keyEncryption.unwrap(dataKey, encryptionContext(dataKey)).then(
        (plaintext) => (slot.key = new OpenedDataKey(plaintext)),
        (error: unknown) => {
          this.retire(slot);
          throw error;
        },
      ),
      key: undefined,
      uses: 1,
      pins: 1,
      retired: false,
    };
    this.slots.set(id, slot);
    if (this.slots.size > this.bounds.maxEntries) this.evictOldest();
    return slot;
  }

  private unpin(slot: Slot): void {
    slot.pins--;
    if (slot.pins > 0) return;
    if (slot.uses >= this.bounds.maxUses) this.evict(slot);
    if (slot.retired) slot.key?.wipe();
  }

  private evictOldest(): void {
    for (const slot of this.slots.values()) return this.evict(slot);
  }

  private evict(slot: Slot): void {
    if (slot.retired) return;
    this.evictions++;
    this.retire(slot);
  }

  private retire(slot: Slot): void {
    slot.retired = true;
    clearTimeout(slot.timer);
    if (this.slots.get(slot.id) === slot) this.slots.delete(slot.id);
    if (slot.pins === 0) slot.key?.wipe();
  }
}

/** The whole of it: bytes that were unwrapped for one tenant never serve another's record. */
const identity = ({ tenantId, purpose, version, kekId, wrapped }: WrappedDataKey): string =>
  `${tenantId}\n${purpose}\n${version}\n${kekId.length}\n${kekId}${wrapped.toString('latin1')}`;

import type { TenantId } from '@weir/kernel';

/**
 * The port to a second key for each tenant, kept where no backup and no export holds it: a data key is wrapped under it a second time, so that
 * destroying it leaves everything sealed for the tenant unreadable, in every copy there is.
 *
 * Errors are those of the key-encryption port.
 */
export interface ShredKeys {
  /** Where they stand, for receipts: `secrets-manager`, `file`. */
  readonly name: string;
  /** 32 bytes that the caller overwrites; made when there are none. Of two at once both get the same. */
  getOrCreate(tenant: TenantId): Promise<Buffer>;
  /** undefined: there is none, or none any more. */
  get(tenant: TenantId): Promise<Buffer | undefined>;
  /** For good, without a way back. @returns whether there was one */
  destroy(tenant: TenantId): Promise<boolean>;
  close(): void;
}

export const SHRED_KEY_BYTES = 32;

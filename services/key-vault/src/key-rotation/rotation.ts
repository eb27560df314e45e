import type { KeyId, OperationId, TenantId } from '@weir/kernel';

/** What is renewed: the tenants' data keys, with every secret sealed anew; the key-encryption key, with every data key wrapped anew. */
export const PARTS = ['data-keys', 'key-encryption-key'] as const;
export type Part = (typeof PARTS)[number];

export interface Rotation {
  readonly id: OperationId;
  readonly of: readonly Part[];
  /** The one that it is about; null: all. */
  readonly tenantId: TenantId | null;
  /** Of the key-encryption key that everything is to be under in the end; but for tenants with a KMS key of their own, that one. */
  readonly kekId: string;
  /** RFC 3339 */
  readonly startedAt: string;
}

/** What stands under which keys, counted when a tenant's turn has ended. */
export interface Found {
  readonly countedAt: string;
  /** Of the key-encryption key that the tenant's data keys are to be under: the rotation's, or the tenant's own. */
  readonly kekId: string;
  readonly blobs: readonly { readonly dataKeyVersion: number; readonly kekId: string; readonly count: number }[];
  /** Of them, under a data key or a key-encryption key of before. */
  readonly leftUnderOld: number;
  /** Secrets that do not open with any key: damaged before the rotation, and left as they were. */
  readonly unreadable: readonly { readonly keyId: KeyId; readonly version: number }[];
}

export interface CompletenessReport {
  readonly format: 'weir-key-rotation-report/1';
  readonly rotationId: string;
  readonly of: readonly Part[];
  readonly kekId: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly totals: {
    readonly tenants: number;
    readonly blobs: number;
    readonly leftUnderOld: number;
    readonly unreadable: number;
  };
  /** Nothing is left under the old, and everything opens. */
  readonly complete: boolean;
  readonly tenants: readonly ({ readonly tenantId: TenantId } & Found)[];
}

/** A pure function of what is stored, so that a finish that is done again after a crash says the same. */
export function reportOf(
  rotation: Rotation,
  finishedAt: string,
  tenants: readonly ({ readonly tenantId: TenantId } & Found)[],
): CompletenessReport {
  const sum = (of: (found: Found) => number): number => tenants.reduce((total, found) => total + of(found), 0);
  const totals = {
    tenants: tenants.length,
    blobs: sum(({ blobs }) => blobs.reduce((total, { count }) => total + count, 0)),
    leftUnderOld: sum(({ leftUnderOld }) => leftUnderOld),
    unreadable: sum(({ unreadable }) => unreadable.length),
  };
  return {
    format: 'weir-key-rotation-report/1',
    rotationId: rotation.id,
    of: rotation.of,
    kekId: rotation.kekId,
    startedAt: rotation.startedAt,
    finishedAt,
    totals,
    complete: totals.leftUnderOld === 0 && totals.unreadable === 0,
    tenants,
  };
}

import { upstreamKeyContext, type Envelope, type WrappedDataKey } from '@weir/envelope';
import { AppError, type KeyId, type OperationId, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { ownKmsKey } from '../own-kms-key/own-kms-key.table';
import { DataKeys } from '../sealing/data-keys';
import { keysWithBlobsUnder, lockBlobs, readAllSealed, replaceSealed, type KeptBlob } from '../sealing/sealed-versions';
import type { UpstreamKeyLog } from '../upstream-key/upstream-key.log';
import type { Found, Rotation } from './rotation';

/** The secret of a blob, which the caller overwrites; undefined: no key opens it. */
export type OpenBlob = (blob: KeptBlob) => Promise<Buffer | undefined>;

/**
 * One tenant's turn, in steps that are each one transaction and may each be done again: whoever dies between two is followed by another
 * that finds what is left. Keys go on being used, offered and destroyed meanwhile.
 */
export class TenantRotation {
  constructor(
    private readonly work: UnitOfWork,
    private readonly envelope: Envelope,
    private readonly dataKeys: DataKeys,
    private readonly keyLog: UpstreamKeyLog,
  ) {}

  /** Null for a tenant that has no data key. */
  async run(all: Rotation, tenant: TenantId): Promise<Found | null> {
    const rotation = { ...all, kekId: (await this.ownKek(tenant)) ?? all.kekId };
    if (rotation.of.includes('data-keys')) await this.renewDataKey(rotation.id, tenant, this.ours(tenant));
    if (rotation.of.includes('key-encryption-key')) await this.rewrapDataKeys(rotation, tenant);
    return this.count(rotation, tenant);
  }

  /** See {@link ownKmsKey}. */
  ownKek(tenant: TenantId): Promise<string | undefined> {
    return this.work.inTenant(tenant, (sql) => ownKmsKey(sql, tenant));
  }

  /**
   * Seals all of a tenant's secrets anew under a data key that is made once an id; older ones under which nothing is left are destroyed.
   *
   * @param open undefined: no key opens it, it stays as it is and its data key with it
   * @returns secrets that were sealed anew in this run, and those that no key opens
   */
  async renewDataKey(id: OperationId, tenant: TenantId, open: OpenBlob): Promise<{ secrets: number; unreadable: number }> {
    const renewed = await this.dataKeys.madeIn(id, tenant);
    if (renewed === undefined) return { secrets: 0, unreadable: 0 };
    const damaged = new Set<string>();
    let secrets = 0;
    let closed = false;
    for (;;) {
      const old = (await this.blobs(tenant)).filter(
        (blob) => blob.dataKey.version < renewed.version && !damaged.has(`${blob.keyId}/${blob.version}`),
      );
      if (old.length === 0) {
        // whoever was storing a secret under an old one is waited for; one that came so is found by another look, and the last
        if ((await this.dataKeys.destroyBefore(renewed)) || closed) return { secrets, unreadable: damaged.size };
        closed = true;
        continue;
      }
      for (const keyId of new Set(old.map((blob) => blob.keyId))) {
        const ofKey = old.filter((blob) => blob.keyId === keyId);
        const unreadable = await this.resealKey(tenant, keyId, ofKey, renewed, open);
        secrets += ofKey.length - unreadable.length;
        for (const version of unreadable) damaged.add(`${keyId}/${version}`);
      }
    }
  }

  /** Opens with the data key that stands beside the secret. */
  ours = (tenant: TenantId): OpenBlob => ({ keyId, version, sealed, dataKey }) =>
    this.envelope.open(sealed, { ...upstreamKeyContext({ owner: tenant, keyId, version }), dataKey }).catch(unlessUnreadable);

  /** @returns versions that no key opens: they stay as they are, and the old data key with them */
  private async resealKey(tenant: TenantId, keyId: KeyId, old: readonly KeptBlob[], renewed: WrappedDataKey, open: OpenBlob): Promise<number[]> {
    const resealed = new Map<KeptBlob, Buffer>();
    const unreadable: number[] = [];
    for (const blob of old) {
      const place = upstreamKeyContext({ owner: tenant, keyId, version: blob.version });
      const secret = await open(blob);
      if (secret === undefined) {
        unreadable.push(blob.version);
        continue;
      }
      try {
        resealed.set(blob, await this.envelope.seal({ ...place, plaintext: secret, dataKey: renewed }));
      } finally {
        secret.fill(0);
      }
    }
    if (resealed.size === 0) return unreadable;
    await this.work.inTenant(tenant, async (sql) => {
      await lockBlobs(sql, tenant);
      for (const [blob, sealed] of resealed) await replaceSealed(sql, tenant, blob, { sealed, dataKeyVersion: renewed.version });
      await this.keyLog.sayAgain(sql, tenant, keyId);
    });
    return unreadable;
  }

  private async rewrapDataKeys(rotation: Rotation, tenant: TenantId): Promise<void> {
    const under = await this.ownKek(tenant);
    for (const dataKey of await this.dataKeys.notUnder(rotation, tenant)) {
      const rewrapped = await this.envelope.rewrapDataKey(dataKey, under).catch(unlessUnreadable);
      // the report names what is under it
      if (rewrapped === undefined) continue;
      await this.work.inTenant(tenant, async (sql) => {
        await lockBlobs(sql, tenant);
        if (!(await DataKeys.replaceWrapped(sql, dataKey, rewrapped, rotation.id))) return;
        for (const keyId of await keysWithBlobsUnder(sql, tenant, dataKey.version)) await this.keyLog.sayAgain(sql, tenant, keyId);
      });
    }
  }

  /** Opens every secret, and looks at what it is under. */
  private async count(rotation: Rotation, tenant: TenantId): Promise<Found | null> {
    const renewed = rotation.of.includes('data-keys') ? await this.dataKeys.madeIn(rotation.id, tenant) : undefined;
    const notUnder = rotation.of.includes('key-encryption-key')
      ? new Set((await this.dataKeys.notUnder(rotation, tenant)).map(({ version }) => version))
      : new Set<number>();
    const blobs = await this.blobs(tenant);
    if (blobs.length === 0 && !(await this.dataKeys.has(tenant))) return null;

    const groups = new Map<string, { dataKeyVersion: number; kekId: string; count: number }>();
    const unreadable: { keyId: KeyId; version: number }[] = [];
    let leftUnderOld = 0;
    const open = this.ours(tenant);
    for (const { keyId, version, sealed, dataKey } of blobs) {
      const under = `${dataKey.version}/${dataKey.kekId}`;
      const group = groups.get(under) ?? { dataKeyVersion: dataKey.version, kekId: dataKey.kekId, count: 0 };
      groups.set(under, { ...group, count: group.count + 1 });
      if (dataKey.version < (renewed?.version ?? 0) || notUnder.has(dataKey.version)) leftUnderOld++;
      const secret = await open({ keyId, version, sealed, dataKey });
      if (secret === undefined) unreadable.push({ keyId, version });
      secret?.fill(0);
    }
    return { countedAt: new Date().toISOString(), kekId: rotation.kekId, blobs: [...groups.values()], leftUnderOld, unreadable };
  }

  private blobs(tenant: TenantId): Promise<KeptBlob[]> {
    return this.work.inTenant(tenant, (sql) => readAllSealed(sql, tenant));
  }
}

/** Trouble with the key-encryption key passes; damage and the end of a shred key do not. */
function unlessUnreadable(error: unknown): undefined {
  if (error instanceof AppError && (error.code === 'unreadable-secret' || error.code === 'key-shredded')) return undefined;
  throw error;
}

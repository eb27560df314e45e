import { upstreamKeyContext, type Envelope, type WrappedDataKey } from '@weir/envelope';
import { AppError, type KeyId, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { DataKeys } from '../sealing/data-keys';
import { keysWithBlobsUnder, lockBlobs, readAllSealed, replaceSealed, type KeptBlob } from '../sealing/sealed-versions';
import type { UpstreamKeyLog } from '../upstream-key/upstream-key.log';
import type { Found, Rotation } from './rotation';

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
  async run(rotation: Rotation, tenant: TenantId): Promise<Found | null> {
    if (rotation.of.includes('data-keys')) await this.renewDataKey(rotation, tenant);
    if (rotation.of.includes('key-encryption-key')) await this.rewrapDataKeys(rotation, tenant);
    return this.count(rotation, tenant);
  }

  private async renewDataKey(rotation: Rotation, tenant: TenantId): Promise<void> {
    const renewed = await this.dataKeys.madeIn(rotation.id, tenant);
    if (renewed === undefined) return;
    const damaged = new Set<string>();
    let closed = false;
    for (;;) {
      const old = (await this.blobs(tenant)).filter(
        (blob) => blob.dataKey.version < renewed.version && !damaged.has(`${blob.keyId}/${blob.version}`),
      );
      if (old.length === 0) {
        // whoever was storing a secret under an old one is waited for; one that came so is found by another look, and the last
        if (await this.dataKeys.destroyBefore(renewed)) return;
        if (closed) return;
        closed = true;
        continue;
      }
      for (const keyId of new Set(old.map((blob) => blob.keyId))) {
        const unreadable = await this.resealKey(tenant, keyId, old.filter((blob) => blob.keyId === keyId), renewed);
        for (const version of unreadable) damaged.add(`${keyId}/${version}`);
      }
    }
  }

  /** @returns versions that no key opens: they stay as they are, and the old data key with them */
  private async resealKey(tenant: TenantId, keyId: KeyId, old: readonly KeptBlob[], renewed: WrappedDataKey): Promise<number[]> {
    const resealed = new Map<KeptBlob, Buffer>();
    const unreadable: number[] = [];
    for (const blob of old) {
      const place = upstreamKeyContext({ owner: tenant, keyId, version: blob.version });
      const secret = await this.envelope.open(blob.sealed, { ...place, dataKey: blob.dataKey }).catch(unlessUnreadable);
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
    for (const dataKey of await this.dataKeys.notUnder(rotation, tenant)) {
      const rewrapped = await this.envelope.rewrapDataKey(dataKey);
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
    for (const { keyId, version, sealed, dataKey } of blobs) {
      const under = `${dataKey.version}/${dataKey.kekId}`;
      const group = groups.get(under) ?? { dataKeyVersion: dataKey.version, kekId: dataKey.kekId, count: 0 };
      groups.set(under, { ...group, count: group.count + 1 });
      if (dataKey.version < (renewed?.version ?? 0) || notUnder.has(dataKey.version)) leftUnderOld++;
      const place = upstreamKeyContext({ owner: tenant, keyId, version });
      const secret = await this.envelope.open(sealed, { ...place, dataKey }).catch(unlessUnreadable);
      if (secret === undefined) unreadable.push({ keyId, version });
      secret?.fill(0);
    }
    return { countedAt: new Date().toISOString(), blobs: [...groups.values()], leftUnderOld, unreadable };
  }

  private blobs(tenant: TenantId): Promise<KeptBlob[]> {
    return this.work.inTenant(tenant, (sql) => readAllSealed(sql, tenant));
  }
}

/** Trouble with the key-encryption key passes; damage does not. */
function unlessUnreadable(error: unknown): undefined {
  if (error instanceof AppError && error.code === 'unreadable-secret') return undefined;
  throw error;
}

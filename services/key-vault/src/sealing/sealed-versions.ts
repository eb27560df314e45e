import {
  UPSTREAM_KEY_PURPOSE,
  upstreamKeyContext,
  type Envelope,
  type UpstreamKeyPlace,
  type WrappedDataKey,
} from '@weir/envelope';
import { AppError, type KeyId, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { keyChanged } from '../errors';
import { toDataKey, type DataKeys } from './data-keys';

/** One version's secret, sealed, with the data key that opens it. */
export interface SealedVersion {
  readonly version: number;
  readonly sealed: Buffer;
  readonly dataKey: WrappedDataKey;
}

interface BlobRow {
  version: number;
  sealed: Buffer;
  data_key_version: number;
  kek_id: string;
  wrapped: Buffer;
}

const READ = `select b.version, b.sealed, d.version as data_key_version, d.kek_id, d.wrapped
  from upstream_key_blobs b
  join data_keys d on d.tenant_id = b.tenant_id and d.purpose = '${UPSTREAM_KEY_PURPOSE}' and d.version = b.data_key_version
  where b.tenant_id = $1 and b.key_id = $2 and ($3::int is null or b.version = $3)
  order by b.version`;

/** Secrets into and out of the vault's table. Nothing else of the service holds a plaintext, and none for longer than one call. */
export class SealedVersions {
  constructor(
    private readonly work: UnitOfWork,
    private readonly envelope: Envelope,
    private readonly dataKeys: DataKeys,
  ) {}

  /** Sealed for one place; stored by {@link store} with the events that say so. */
  async seal(place: UpstreamKeyPlace, secret: Buffer | string): Promise<{ sealed: SealedVersion; fingerprint: string }> {
    const dataKey = await this.dataKeys.forSealing(place.owner);
    try {
      return await this.sealUnder(dataKey, place, secret);
    } catch (error) {
      // its shred key was lost, or it came with an archive from elsewhere: what is handed in anew is to be sealed all the same
      if (!opensNoMore(error)) throw error;
      await this.dataKeys.passOver(dataKey);
      return this.sealUnder(await this.dataKeys.forSealing(place.owner), place, secret);
    }
  }

  private async sealUnder(dataKey: WrappedDataKey, place: UpstreamKeyPlace, secret: Buffer | string): Promise<{ sealed: SealedVersion; fingerprint: string }> {
    const sealed = await this.envelope.seal({ ...upstreamKeyContext(place), plaintext: secret, dataKey });
    return { sealed: { version: place.version, sealed, dataKey }, fingerprint: await this.envelope.fingerprint(secret, dataKey) };
  }

  /**
   * Gives the secret to `use` and overwrites it afterwards.
   *
   * @throws AppError `contended` when the version was destroyed meanwhile
   */
  async opened<T>(place: UpstreamKeyPlace, use: (secret: Buffer) => Promise<T>): Promise<T> {
    const [found] = await this.work.inTenant(place.owner, (sql) => readSealed(sql, place.owner, place.keyId, place.version));
    if (found === undefined) throw keyChanged();
    const secret = await this.envelope.open(found.sealed, { ...upstreamKeyContext(place), dataKey: found.dataKey });
    try {
      return await use(secret);
    } finally {
      secret.fill(0);
    }
  }
}

const opensNoMore = (error: unknown): boolean => error instanceof AppError && (error.code === 'key-shredded' || error.code === 'unreadable-secret');

export async function readSealed(sql: Sql, owner: TenantId, keyId: KeyId, version?: number): Promise<SealedVersion[]> {
  const { rows } = await sql.query<BlobRow>(READ, [owner, keyId, version ?? null]);
  return rows.map((row) => ({
    version: row.version,
    sealed: row.sealed,
    dataKey: toDataKey(owner, { version: row.data_key_version, kek_id: row.kek_id, wrapped: row.wrapped }),
  }));
}

/** Within the transaction of the events: adds the secret that was offered, deletes those that no version keeps. */
export async function store(
  sql: Sql,
  owner: TenantId,
  keyId: KeyId,
  offered: SealedVersion | undefined,
  kept: readonly number[],
): Promise<void> {
  if (offered !== undefined) {
    // a rotation may have replaced the data key since it was taken; the lock keeps it from looking for the last secret under it until this is
    // committed
    const { rowCount } = await sql.query(
      `insert into upstream_key_blobs (tenant_id, key_id, version, data_key_version, sealed)
       select $1, $2, $3, version, $5 from data_keys d
       where tenant_id = $1 and purpose = '${UPSTREAM_KEY_PURPOSE}' and version = $4 and destroyed_at is null
         and not exists (select 1 from data_keys n where n.tenant_id = $1 and n.purpose = d.purpose and n.version > d.version and n.made_in is not null)
       for share of d`,
      [owner, keyId, offered.version, offered.dataKey.version, offered.sealed],
    );
    if (rowCount !== 1) throw keyChanged();
  }
  await sql.query('delete from upstream_key_blobs where tenant_id = $1 and key_id = $2 and not (version = any ($3))', [
    owner,
    keyId,
    kept,
  ]);
}

/** A blob with what it takes to open it. */
export interface KeptBlob extends SealedVersion {
  readonly keyId: KeyId;
}

/** All of a tenant's. */
export async function readAllSealed(sql: Sql, owner: TenantId): Promise<KeptBlob[]> {
  const { rows } = await sql.query<BlobRow & { key_id: KeyId }>(
    `select b.key_id, b.version, b.sealed, d.version as data_key_version, d.kek_id, d.wrapped
     from upstream_key_blobs b
     join data_keys d on d.tenant_id = b.tenant_id and d.purpose = '${UPSTREAM_KEY_PURPOSE}' and d.version = b.data_key_version
     where b.tenant_id = $1 order by b.key_id, b.version`,
    [owner],
  );
  return rows.map((row) => ({
    keyId: row.key_id,
    version: row.version,
    sealed: row.sealed,
    dataKey: toDataKey(owner, { version: row.data_key_version, kek_id: row.kek_id, wrapped: row.wrapped }),
  }));
}

/** The lock that appends take too: what the state topic is told next is later than all they said. */
export async function lockBlobs(sql: Sql, owner: TenantId): Promise<void> {
  await sql.query('select 1 from log_heads where tenant_id = $1 for update', [owner]);
}

/** One that was destroyed or sealed anew meanwhile stays as it is. */
export async function replaceSealed(sql: Sql, owner: TenantId, blob: KeptBlob, by: { sealed: Buffer; dataKeyVersion: number }): Promise<void> {
  await sql.query(
    `update upstream_key_blobs set sealed = $5, data_key_version = $6
     where tenant_id = $1 and key_id = $2 and version = $3 and sealed = $4`,
    [owner, blob.keyId, blob.version, blob.sealed, by.sealed, by.dataKeyVersion],
  );
}

export async function keysWithBlobsUnder(sql: Sql, owner: TenantId, dataKeyVersion: number): Promise<KeyId[]> {
  const { rows } = await sql.query<{ key_id: KeyId }>(
    'select distinct key_id from upstream_key_blobs where tenant_id = $1 and data_key_version = $2',
    [owner, dataKeyVersion],
  );
  return rows.map(({ key_id }) => key_id);
}

import {
  UPSTREAM_KEY_PURPOSE,
  upstreamKeyContext,
  type Envelope,
  type UpstreamKeyPlace,
  type WrappedDataKey,
} from '@weir/envelope';
import type { KeyId, TenantId } from '@weir/kernel';
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
    await sql.query(
      'insert into upstream_key_blobs (tenant_id, key_id, version, data_key_version, sealed) values ($1, $2, $3, $4, $5)',
      [owner, keyId, offered.version, offered.dataKey.version, offered.sealed],
    );
  }
  await sql.query('delete from upstream_key_blobs where tenant_id = $1 and key_id = $2 and not (version = any ($3))', [
    owner,
    keyId,
    kept,
  ]);
}

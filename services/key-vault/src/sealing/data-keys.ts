import { UPSTREAM_KEY_PURPOSE, type Envelope, type WrappedDataKey } from '@weir/envelope';
import type { TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { ownKmsKey } from '../own-kms-key/own-kms-key.table';

interface DataKeyRow {
  version: number;
  kek_id: string;
  wrapped: Buffer;
}

/**
 * A tenant's data keys, as the key-encryption key wrapped them. The newest seals until it has sealed `maxSeals` secrets; far below the
 * 2^32 uses that random nonces would bear, and each secret has a message key of its own besides.
 */
export class DataKeys {
  constructor(
    private readonly work: UnitOfWork,
    private readonly envelope: Envelope,
    private readonly maxSeals: number,
  ) {}

  /** The data key to seal one secret under; made when there is none, or none with room. */
  async forSealing(tenant: TenantId): Promise<WrappedDataKey> {
    for (;;) {
      const found = await this.work.inTenant(tenant, (sql) => this.take(sql, tenant));
      if ('dataKey' in found) return found.dataKey;
      // asked for outside of any transaction; of two that are made at once the first stays
      const made = await this.envelope.createDataKey(tenant, UPSTREAM_KEY_PURPOSE, found.newest + 1, found.under);
      await this.work.inTenant(tenant, (sql) => add(sql, made));
    }
  }

  /** It seals nothing more: the next version takes over. */
  async passOver({ tenantId, purpose, version }: WrappedDataKey): Promise<void> {
    await this.work.inTenant(tenantId, (sql) =>
      sql.query('update data_keys set seals = greatest(seals, $4) where tenant_id = $1 and purpose = $2 and version = $3', [tenantId, purpose, version, this.maxSeals]),
    );
  }

  async has(tenant: TenantId): Promise<boolean> {
    const { rows } = await this.work.inTenant(tenant, (sql) => sql.query('select 1 from data_keys where tenant_id = $1 limit 1', [tenant]));
    return rows.length > 0;
  }

  /** The data key that a rotation has made for the tenant, made now where it has not; undefined when the tenant has none to renew. */
  async madeIn(rotationId: string, tenant: TenantId): Promise<WrappedDataKey | undefined> {
    for (;;) {
      const { rows, under } = await this.work.inTenant(tenant, async (sql) => {
        const { rows } = await sql.query<DataKeyRow & { made_in: string | null }>(
          `select version, kek_id, wrapped, made_in from data_keys where tenant_id = $1 and purpose = $2
           and (made_in = $3 or version = (select max(version) from data_keys where tenant_id = $1 and purpose = $2)) order by version`,
          [tenant, UPSTREAM_KEY_PURPOSE, rotationId],
        );
        return { rows, under: await ownKmsKey(sql, tenant) };
      });
      const made = rows.find((row) => row.made_in === rotationId);
      if (made !== undefined) return toDataKey(tenant, made);
      const newest = rows.at(-1);
      if (newest === undefined) return undefined;
      const next = await this.envelope.createDataKey(tenant, UPSTREAM_KEY_PURPOSE, newest.version + 1, under);
      await this.work.inTenant(tenant, (sql) => add(sql, next, rotationId));
    }
  }

  /** All that are in use, oldest first. */
  async live(tenant: TenantId): Promise<WrappedDataKey[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<DataKeyRow>('select version, kek_id, wrapped from data_keys where tenant_id = $1 and purpose = $2 and destroyed_at is null order by version', [tenant, UPSTREAM_KEY_PURPOSE]),
    );
    return rows.map((row) => toDataKey(tenant, row));
  }

  /** Data keys that are older than the rotation and that it has not wrapped anew, or that are under another key-encryption key than the tenant's. */
  async notUnder(rotation: { id: string; kekId: string; startedAt: string }, tenant: TenantId): Promise<WrappedDataKey[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<DataKeyRow>(
        `select version, kek_id, wrapped from data_keys
         where tenant_id = $1 and purpose = $2 and destroyed_at is null
           and (kek_id <> $3 or (rewrapped_in is distinct from $4 and created_at < $5)) order by version`,
        [tenant, UPSTREAM_KEY_PURPOSE, rotation.kekId, rotation.id, rotation.startedAt],
      ),
    );
    return rows.map((row) => toDataKey(tenant, row));
  }

  /**
   * Older ones under which nothing is left: none comes, since {@link store} takes no secret under a data key that a rotation has replaced.
   *
   * @returns whether all of them are destroyed
   */
  async destroyBefore({ tenantId, purpose, version }: WrappedDataKey): Promise<boolean> {
    return this.work.inTenant(tenantId, async (sql) => {
      // waits for whoever is storing a secret under one of them; who comes later sees the renewed key and is refused
      await sql.query('select 1 from data_keys where tenant_id = $1 and purpose = $2 and version < $3 for update', [tenantId, purpose, version]);
      await sql.query(
        `update data_keys d set wrapped = '', destroyed_at = now()
         where tenant_id = $1 and purpose = $2 and version < $3 and destroyed_at is null
           and not exists (select 1 from upstream_key_blobs b where b.tenant_id = $1 and b.data_key_version = d.version)`,
        [tenantId, purpose, version],
      );
      const { rows } = await sql.query('select 1 from data_keys where tenant_id = $1 and purpose = $2 and version < $3 and destroyed_at is null limit 1', [
        tenantId,
        purpose,
        version,
      ]);
      return rows.length === 0;
    });
  }

  /** @returns false when it was replaced or destroyed meanwhile */
  static async replaceWrapped(sql: Sql, before: WrappedDataKey, after: WrappedDataKey, rotationId: string): Promise<boolean> {
    const { rowCount } = await sql.query(
      `update data_keys set kek_id = $5, wrapped = $6, rewrapped_in = $7
       where tenant_id = $1 and purpose = $2 and version = $3 and wrapped = $4`,
      [before.tenantId, before.purpose, before.version, before.wrapped, after.kekId, after.wrapped, rotationId],
    );
    return rowCount === 1;
  }

  private async take(sql: Sql, tenant: TenantId): Promise<{ dataKey: WrappedDataKey } | { newest: number; under: string | undefined }> {
    const { rows } = await sql.query<DataKeyRow>(
      `update data_keys set seals = seals + 1
       where tenant_id = $1 and purpose = $2 and seals < $3
         and version = (select max(version) from data_keys where tenant_id = $1 and purpose = $2) and destroyed_at is null
       returning version, kek_id, wrapped`,
      [tenant, UPSTREAM_KEY_PURPOSE, this.maxSeals],
    );
    if (rows[0] !== undefined) return { dataKey: toDataKey(tenant, rows[0]) };
    const newest = await sql.query<{ version: number; room: boolean }>(
      'select version, seals < $3 and destroyed_at is null as room from data_keys where tenant_id = $1 and purpose = $2 order by version desc limit 1',
      [tenant, UPSTREAM_KEY_PURPOSE, this.maxSeals],
    );
    // made by somebody else since we looked for one with room
    if (newest.rows[0]?.room === true) return this.take(sql, tenant);
    return { newest: newest.rows[0]?.version ?? 0, under: await ownKmsKey(sql, tenant) };
  }
}

async function add(sql: Sql, { tenantId, purpose, version, kekId, wrapped }: WrappedDataKey, madeIn: string | null = null): Promise<void> {
  await sql.query(
    'insert into data_keys (tenant_id, purpose, version, kek_id, wrapped, made_in) values ($1, $2, $3, $4, $5, $6) on conflict do nothing',
    [tenantId, purpose, version, kekId, wrapped, madeIn],
  );
}

export const toDataKey = (tenantId: TenantId, row: DataKeyRow): WrappedDataKey => ({
  tenantId,
  purpose: UPSTREAM_KEY_PURPOSE,
  version: row.version,
  kekId: row.kek_id,
  wrapped: row.wrapped,
});

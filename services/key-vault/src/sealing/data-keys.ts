import { UPSTREAM_KEY_PURPOSE, type Envelope, type WrappedDataKey } from '@weir/envelope';
import type { TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';

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
      const made = await this.envelope.createDataKey(tenant, UPSTREAM_KEY_PURPOSE, found.newest + 1);
      await this.work.inTenant(tenant, (sql) => add(sql, made));
    }
  }

  private async take(sql: Sql, tenant: TenantId): Promise<{ dataKey: WrappedDataKey } | { newest: number }> {
    const { rows } = await sql.query<DataKeyRow>(
      `update data_keys set seals = seals + 1
       where tenant_id = $1 and purpose = $2 and seals < $3
         and version = (select max(version) from data_keys where tenant_id = $1 and purpose = $2)
       returning version, kek_id, wrapped`,
      [tenant, UPSTREAM_KEY_PURPOSE, this.maxSeals],
    );
    if (rows[0] !== undefined) return { dataKey: toDataKey(tenant, rows[0]) };
    const newest = await sql.query<{ version: number }>(
      'select coalesce(max(version), 0) as version from data_keys where tenant_id = $1 and purpose = $2',
      [tenant, UPSTREAM_KEY_PURPOSE],
    );
    return { newest: newest.rows[0]?.version ?? 0 };
  }
}

async function add(sql: Sql, { tenantId, purpose, version, kekId, wrapped }: WrappedDataKey): Promise<void> {
  await sql.query(
    'insert into data_keys (tenant_id, purpose, version, kek_id, wrapped) values ($1, $2, $3, $4, $5) on conflict do nothing',
    [tenantId, purpose, version, kekId, wrapped],
  );
}

export const toDataKey = (tenantId: TenantId, row: DataKeyRow): WrappedDataKey => ({
  tenantId,
  purpose: UPSTREAM_KEY_PURPOSE,
  version: row.version,
  kekId: row.kek_id,
  wrapped: row.wrapped,
});

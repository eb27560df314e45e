import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

/** The KMS key of the tenant's own, its ARN; undefined: its data keys are under the platform's. */
export async function ownKmsKey(sql: Sql, tenant: TenantId): Promise<string | undefined> {
  const { rows } = await sql.query<{ kms_key_id: string }>('select kms_key_id from tenant_kms_keys where tenant_id = $1', [tenant]);
  return rows[0]?.kms_key_id;
}

export async function setOwnKmsKey(sql: Sql, tenant: TenantId, kmsKeyId: string | null): Promise<void> {
  if (kmsKeyId === null) await sql.query('delete from tenant_kms_keys where tenant_id = $1', [tenant]);
  else {
    await sql.query(
      `insert into tenant_kms_keys (tenant_id, kms_key_id) values ($1, $2)
       on conflict (tenant_id) do update set kms_key_id = excluded.kms_key_id, set_at = now()`,
      [tenant, kmsKeyId],
    );
  }
}

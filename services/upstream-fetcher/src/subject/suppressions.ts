import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

const KEEPING = 31;

/**
 * Within a tenant's transaction, before something about persons is kept: whether one of them is not to be fetched again. Until the
 * transaction ends no erasure begins, so that none overlooks what is being written.
 */
export async function anySuppressed(sql: Sql, tenant: TenantId, subjects: readonly string[]): Promise<boolean> {
  if (subjects.length === 0) return false;
  // two statements: the second must see what an erasure that the first has waited for did
  await sql.query('select pg_advisory_xact_lock_shared(hashtextextended($1, $2))', [tenant, KEEPING]);
  const { rows } = await sql.query<{ found: boolean }>(
    'select exists (select from subject_suppressions where tenant_id = $1 and pseudonym = any ($2)) as found',
    [tenant, subjects],
  );
  return rows[0]?.found === true;
}

/** Within the transaction of an erasure: waits for what is being written, and lets nothing be written until it has ended. */
export async function holdKeeping(sql: Sql, tenant: TenantId): Promise<void> {
  await sql.query('select pg_advisory_xact_lock(hashtextextended($1, $2))', [tenant, KEEPING]);
}

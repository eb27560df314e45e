import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

/** What an erasure removed. */
export interface ErasedRows {
  readonly profiles: number;
  readonly posts: number;
  readonly jobResults: number;
  readonly replays: number;
  readonly scheduleTargets: number;
}

/**
 * Within the tenant's transaction: everybody's other names, from what is about one person alone.
 *
 * @param single endpoints whose answers are about one person; a list names its people side by side, and is no proof that they are one
 */
export async function aliasesOf(sql: Sql, tenant: TenantId, pseudonyms: readonly string[], single: readonly string[]): Promise<string[]> {
  let known = [...new Set(pseudonyms)].sort();
  for (;;) {
    const { rows } = await sql.query<{ pseudonym: string }>(
      `select unnest(subjects) as pseudonym from user_snapshots where tenant_id = $1 and subjects && $2
       union select unnest(subjects) from fetch_job_items where tenant_id = $1 and subjects && $2 and endpoint = any ($3)
       union select unnest($2::text[]) order by 1`,
      [tenant, known, single],
    );
    if (rows.length === known.length) return known;
    known = rows.map(({ pseudonym }) => pseudonym);
  }
}

export async function suppress(sql: Sql, tenant: TenantId, erasureId: string, pseudonyms: readonly string[]): Promise<void> {
  await sql.query(
    'insert into subject_suppressions (tenant_id, pseudonym, erasure_id) select $1, unnest($2::text[]), $3 on conflict do nothing',
    [tenant, pseudonyms, erasureId],
  );
}

export async function suppressedBy(sql: Sql, tenant: TenantId, erasureId: string): Promise<string[]> {
  const { rows } = await sql.query<{ pseudonym: string }>('select pseudonym from subject_suppressions where tenant_id = $1 and erasure_id = $2', [tenant, erasureId]);
  return rows.map(({ pseudonym }) => pseudonym);
}

/** Removes every row that names one of them. A job's item stays as a line that says so, without what was asked or answered. */
export async function eraseRows(sql: Sql, tenant: TenantId, pseudonyms: readonly string[]): Promise<ErasedRows> {
  const count = async (statement: string) => (await sql.query(statement, [tenant, pseudonyms])).rowCount ?? 0;
  return {
    profiles: await count('delete from user_snapshots where tenant_id = $1 and subjects && $2'),
    posts: await count('delete from post_snapshots where tenant_id = $1 and subjects && $2'),
    jobResults: await count(
      `update fetch_job_items set body = null, query = '', subjects = '{}', error = 'subject-erased',
         state = case when state in ('pending', 'done') then 'failed' else state end
       where tenant_id = $1 and subjects && $2`,
    ),
    replays: await count(`update call_replays set body = null, subjects = '{}' where tenant_id = $1 and subjects && $2`),
    scheduleTargets: await count('delete from refresh_targets where tenant_id = $1 and subjects && $2'),
  };
}

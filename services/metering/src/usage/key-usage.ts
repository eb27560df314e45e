import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import type { Recorded } from './record-usage';

/** One row of sums by upstream key, as Postgres writes it in JSON. */
export interface KeySums {
  readonly day: string;
  readonly key_owner: string;
  readonly key_id: string;
  readonly mode: string;
  readonly cache: string;
  readonly difference: string;
  readonly calls: number;
  readonly upstream_credits: number;
  readonly charged_credits: number;
  readonly unsettled_credits: number;
}

const ADD = `
  insert into key_usage as k (tenant_id, day, key_owner, key_id, mode, cache, difference, calls, upstream_credits, charged_credits, unsettled_credits)
  select $1, s.* from json_to_recordset($2::json) as s (
    day date, key_owner text, key_id text, mode text, cache text, difference text,
    calls bigint, upstream_credits bigint, charged_credits bigint, unsettled_credits bigint)
  order by day, key_owner, key_id, mode, cache, difference
  on conflict (day, tenant_id, key_owner, key_id, mode, cache, difference) do update
    set calls = k.calls + excluded.calls, upstream_credits = k.upstream_credits + excluded.upstream_credits,
        charged_credits = k.charged_credits + excluded.charged_credits, unsettled_credits = k.unsettled_credits + excluded.unsettled_credits`;

/** In one statement: nobody waits with the tenant's lock for three answers more. A batch moves an attempt once, so that no two parts meet in a row. */
const KEEP = `
  with added as (${ADD}), opened as (
    insert into open_holds (tenant_id, request_id, attempt, key_id, held_at)
    select $1, request_id, attempt, key_id, to_timestamp(at / 1000.0)
    from json_to_recordset($3::json) as h (request_id text, attempt int, key_id text, at bigint) order by request_id, attempt
    on conflict do nothing
  ), doubted as (
    update open_holds o set unsettled_at = now() from json_to_recordset($4::json) as h (request_id text, attempt int)
    where o.tenant_id = $1 and o.request_id = h.request_id and o.attempt = h.attempt
  )
  delete from open_holds o using json_to_recordset($5::json) as h (request_id text, attempt int)
  where o.tenant_id = $1 and o.request_id = h.request_id and o.attempt = h.attempt`;

/** The part of an ingest that belongs to no tenant; in the service's own schema, in the same transaction. */
export async function addKeyUsage(sql: Sql, tenant: TenantId, { keys, opened, doubted, closed }: Omit<Recorded, 'recorded'>): Promise<void> {
  const parts = [keys, opened, doubted, closed];
  if (parts.some(({ length }) => length > 0)) await sql.query(KEEP, [tenant, ...parts.map((part) => JSON.stringify(part))]);
}

/** Puts other sums in the place of a tenant's from a day on. */
export async function replaceKeyUsage(sql: Sql, tenant: TenantId, from: string, keys: readonly KeySums[]): Promise<void> {
  await sql.query('delete from key_usage where tenant_id = $1 and day >= $2::date', [tenant, from]);
  if (keys.length > 0) await sql.query(ADD, [tenant, JSON.stringify(keys)]);
}

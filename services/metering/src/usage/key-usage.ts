import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import type { AttemptId } from './record-usage';

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

const OPEN = `
  insert into open_holds (tenant_id, request_id, attempt)
  select $1, h.* from json_to_recordset($2::json) as h (request_id text, attempt int) order by request_id, attempt
  on conflict do nothing`;

const CLOSE = `
  delete from open_holds o using json_to_recordset($2::json) as h (request_id text, attempt int)
  where o.tenant_id = $1 and o.request_id = h.request_id and o.attempt = h.attempt`;

/** The part of an ingest that belongs to no tenant; in the service's own schema, in the same transaction. */
export async function addKeyUsage(
  sql: Sql,
  tenant: TenantId,
  { keys, opened, closed }: { keys: readonly KeySums[]; opened: readonly AttemptId[]; closed: readonly AttemptId[] },
): Promise<void> {
  if (keys.length > 0) await sql.query(ADD, [tenant, JSON.stringify(keys)]);
  if (opened.length > 0) await sql.query(OPEN, [tenant, JSON.stringify(opened)]);
  if (closed.length > 0) await sql.query(CLOSE, [tenant, JSON.stringify(closed)]);
}

import { utcDay, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { floorOf } from '../usage/event-time';
import { rank } from '../usage/attempt-state';
import type { Span, Standing } from './compare';

/** Attempts with a record in a span of time: event ids are UUIDv7, so that their order is that of time. */
const STANDING = `
  select $1 as "tenantId", w.request_id as "requestId", w.attempt, s.key_id as "keyId", s.kind as state, s.credits::float8 as credits, s.at::float8 as at
  from (select distinct request_id, attempt from usage_events where tenant_id = $1 and event_id >= $2 and event_id < $3 and kind <> 'served' and ($4 = '' or key_id = $4) and ($5 or mode = 'live')) w
  cross join lateral (
    select (array_agg(e.kind order by ${rank('e.kind')} desc nulls last, e.counts <> 'nothing' desc))[1] as kind, max(e.key_id) as key_id, min(e.at) as at,
           case when bool_or(e.kind in ('settled', 'taken')) then coalesce(sum(e.upstream_credits) filter (where e.counts = 'used'), 0)
                else coalesce(sum(e.upstream_credits) filter (where e.counts = 'unsettled'), 0) end as credits
    from usage_events e where e.tenant_id = $1 and e.request_id = w.request_id and e.attempt = w.attempt) s`;

/** Which attempts a statement is about. */
export interface Scope {
  /** undefined: all. */
  readonly keyId: string | undefined;
  /** Whether the simulator's own key is on it too, which calls of test tokens use. */
  readonly withTests: boolean;
}

/** Of all tenants, those in other databases too. */
export async function attemptsIn(work: UnitOfWork, { from, to }: Span, { keyId, withTests }: Scope): Promise<Standing[]> {
  const active = await work.inEveryControl((sql) =>
    sql.query<{ tenant_id: TenantId }>('select distinct tenant_id from key_usage where day between $1::date - 1 and $2::date + 1', [utcDay(from), utcDay(to)]),
  );
  const found: Standing[] = [];
  for (const tenant of new Set(active.flatMap(({ rows }) => rows.map((row) => row.tenant_id)))) {
    const { rows } = await work.inTenant(tenant, (sql) => sql.query<Standing>(STANDING, [tenant, floorOf(from), floorOf(to), keyId ?? '', withTests]));
    found.push(...rows);
  }
  return found;
}

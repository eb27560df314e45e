import { utcDay, type TenantId } from '@weir/kernel';
import { sqlState, type Sql } from '@weir/tenancy';
import { eventIdTaken } from '../errors';
import { rank } from './attempt-state';
import { OWN_NAMES, SHARED_NAMES, columnsOf, hourOf, unnested } from './columns';
import type { Entry } from './entry';
import type { KeySums } from './key-usage';
import { DIMENSIONS, MEASURES, SUMS, addedTo } from './sums';

/** Of the tenant that is the statement's first value: who holds it counts, and nobody else of this tenant. */
export const USAGE_LOCK = 'hashtextextended($1, 9)';

const GIVEN = unnested(4);
const KEPT = ['counts', 'adjusts', ...OWN_NAMES, ...SHARED_NAMES];
const OF_SHAPE = SHARED_NAMES.filter((name) => name !== 'day' && name !== 'hour');

const REVERSED: Readonly<Record<string, string>> = {
  event_id: 'uuidv7()',
  kind: `'reversed'`,
  day: 'case when e.day < b.open_from then $2::date else e.day end',
  hour: 'case when e.day < b.open_from then $3::smallint else e.hour end',
  adjusts: `case when e.day < b.open_from and e.adjusts = '' then to_char(e.day, 'YYYY-MM') else e.adjusts end`,
  upstream_credits: '-e.upstream_credits',
  charged_credits: '-e.charged_credits',
};

/**
 * Dedupe, rows and sums in one statement (COPY into a stage and a statement per table are slower: docs/metering.md). The tenant's lock is held,
 * so that what is not there when it is looked for is not there when it is written: ON CONFLICT would write each row twice to the WAL.
 * An attempt's records are looked up one by one because no statistics can turn that into a reading of all that the tenant has, and once, before
 * the join, because the planner would do it for each pair of them.
 *
 * What moves an attempt is what counts; a move past what had counted (unsettled, taken) adds a row that takes that back. Usage of a closed
 * month goes into the sums of now, and says which month it adjusts.
 */
const RECORD = `
  with book as (select coalesce((select open_from from books where tenant_id = $1), '-infinity'::date) as open_from),
  shape as (
    select i.number, ${OF_SHAPE.map((name) => `i.${name}`).join(', ')}, ${rank('i.kind')} as rank,
           case when i.day < b.open_from then $2::date else i.day end as day,
           case when i.day < b.open_from then $3::smallint else i.hour end as hour,
           case when i.day < b.open_from then to_char(i.day, 'YYYY-MM') else '' end as adjusts
    from unnest(${GIVEN.shapes}) with ordinality as i (${SHARED_NAMES.join(', ')}, number), book b
  ), attempts as materialized (
    select a.request_id, a.attempt, a.number, known.rank, known.events
    from unnest(${GIVEN.attempts}) with ordinality as a (request_id, attempt, number)
    cross join lateral (
      select max(${rank('e.kind')}) as rank, array_agg(e.event_id) as events
      from usage_events e where e.tenant_id = $1 and e.request_id = a.request_id and e.attempt = a.attempt) known
  ), fresh as (
    select i.event_id, a.request_id, a.attempt, i.at, i.upstream_credits, i.charged_credits, s.number, a.rank as was,
           i.leads and s.rank > coalesce(a.rank, 0) as moves,
           case when s.kind = 'served' then 'used' when not i.leads or s.rank <= coalesce(a.rank, 0) then 'nothing'
                when s.kind in ('settled', 'taken') then 'used' when s.kind = 'unsettled' then 'unsettled' else 'nothing' end as counts
    from unnest(${GIVEN.records}) as i (event_id, at, upstream_credits, charged_credits, attempt_number, shape_number, leads)
    join attempts a on a.number = i.attempt_number join shape s on s.number = i.shape_number
    where a.events is null or i.event_id <> all (a.events) order by i.event_id
  ), moved as (
    select f.request_id, f.attempt, f.at, s.key_id, s.kind, f.was from fresh f join shape s using (number) where f.moves
  ), recorded as (
    insert into usage_events (tenant_id, ${KEPT.join(', ')})
    select $1, f.counts, s.adjusts, ${OWN_NAMES.map((name) => `f.${name}`).join(', ')}, ${SHARED_NAMES.map((name) => `s.${name}`).join(', ')}
    from fresh f join shape s using (number)
  ), reversed as (
    insert into usage_events (tenant_id, ${KEPT.join(', ')})
    select $1, ${KEPT.map((name) => REVERSED[name] ?? `e.${name}`).join(', ')}
    from moved m join usage_events e on e.tenant_id = $1 and e.request_id = m.request_id and e.attempt = m.attempt and ${rank('e.kind')} = m.was, book b
    where m.was in (2, 4) and e.counts <> 'nothing'
    returning ${DIMENSIONS.hourly}, counts, -1 as calls, upstream_credits, charged_credits
  ), by_shape as (
    select number, counts, count(*) as calls, sum(upstream_credits) as upstream_credits, sum(charged_credits) as charged_credits
    from fresh where counts <> 'nothing' group by number, counts
  ), hourly as (
    select ${DIMENSIONS.hourly}, ${SUMS}
    from (select ${DIMENSIONS.hourly}, counts, calls, upstream_credits, charged_credits from by_shape join shape using (number)
          union all select * from reversed) counted
    group by ${DIMENSIONS.hourly}
  ), daily as (
    select ${DIMENSIONS.daily}, ${MEASURES.map((name) => `sum(${name}) as ${name}`).join(', ')} from hourly group by ${DIMENSIONS.daily}
  ), hourly_rows as (
    ${addedTo('usage_hourly', 'hourly', DIMENSIONS.hourly)}
  ), daily_rows as (
    ${addedTo('usage_daily', 'daily', DIMENSIONS.daily)}
  ), charged_rows as (
    insert into charged_daily as c (tenant_id, day, project_id, credits)
    select $1, day, project_id, sum(charged_credits) from daily where mode = 'live' group by day, project_id having sum(charged_credits) <> 0 order by day, project_id
    on conflict (tenant_id, day, project_id) do update set credits = c.credits + excluded.credits
  ), by_key as (
    select ${DIMENSIONS.byKey}, ${MEASURES.map((name) => `sum(${name}) as ${name}`).join(', ')} from daily group by ${DIMENSIONS.byKey}
  )
  select (select count(*) from fresh)::int as recorded,
         (select coalesce(json_agg(k), '[]') from by_key k) as keys,
         (select coalesce(json_agg(json_build_object('request_id', request_id, 'attempt', attempt, 'key_id', key_id, 'at', at)), '[]') from moved where kind = 'held') as opened,
         (select coalesce(json_agg(json_build_object('request_id', request_id, 'attempt', attempt)), '[]') from moved where kind = 'unsettled') as doubted,
         (select coalesce(json_agg(json_build_object('request_id', request_id, 'attempt', attempt)), '[]') from moved where was <= 2 and kind <> 'unsettled') as closed`;

export interface AttemptId {
  readonly request_id: string;
  readonly attempt: number;
}

export interface Recorded {
  /** Entries that were new. */
  readonly recorded: number;
  /** What was added to the sums by key, for the sums over all tenants. */
  readonly keys: readonly KeySums[];
  /** Holds that wait for their settlement from now on; those that have waited too long; those whose fate is known. */
  readonly opened: readonly (AttemptId & { readonly key_id: string; readonly at: number })[];
  readonly doubted: readonly AttemptId[];
  readonly closed: readonly AttemptId[];
}

/** One writer of a tenant's usage at a time, until the transaction ends: its sums are the same few rows anyway, and an attempt's two records may be in two batches. */
export const lockUsage = (sql: Sql, tenant: TenantId) => sql.query(`select pg_advisory_xact_lock(${USAGE_LOCK})`, [tenant]);

/** Entries as the statement takes them. */
export type Batch = readonly unknown[];

/**
 * Made before the transaction, so that nobody waits for it with the tenant's lock.
 *
 * @param now ms
 */
export function batchOf(entries: readonly Entry[], now: number): Batch {
  const once = [...new Map(entries.toReversed().map((entry) => [entry.eventId, entry])).values()];
  return [utcDay(now), hourOf(now), ...columnsOf(once, now)];
}

/**
 * Counts entries of one tenant, each once, in that tenant's transaction.
 *
 * @throws AppError `event-id-taken` when one bears the id of a record of another attempt
 */
export async function recordUsage(sql: Sql, tenant: TenantId, batch: Batch): Promise<Recorded> {
  await lockUsage(sql, tenant);
  const { rows } = await sql.query<Recorded & Record<string, unknown>>(RECORD, [tenant, ...batch]).catch((error: unknown) => {
    throw sqlState(error) === UNIQUE_VIOLATION ? eventIdTaken(error) : error;
  });
  if (rows[0] === undefined) throw new Error('recording usage answered nothing');
  return rows[0];
}

const UNIQUE_VIOLATION = '23505';

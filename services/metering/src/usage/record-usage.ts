import { utcDay, type TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { OWN_NAMES, SHARED_NAMES, columnsOf, hourOf, recordArrays, sharedArrays } from './columns';
import type { Entry } from './entry';
import type { KeySums } from './key-usage';
import { DIMENSIONS, MEASURES, SUMS, addedTo } from './sums';

/** Of the tenant that is the statement's first value: who holds it counts, and nobody else of this tenant. */
export const USAGE_LOCK = 'hashtextextended($1, 9)';

const FIRST = 5;
const KEPT = ['counts', 'adjusts', ...OWN_NAMES, ...SHARED_NAMES];
const OF_SHAPE = SHARED_NAMES.filter((name) => name !== 'day' && name !== 'hour');

/** Lowest first: an attempt stands where the highest of its records puts it. */
export const ATTEMPT_STATES = ['held', 'unsettled', 'not-taken', 'taken', 'released', 'settled'] as const;

/** Where an attempt stands. It moves to a state of higher rank alone, so that the order of arrival does not matter. */
export const rank = (kind: string) => `array_position(array[${ATTEMPT_STATES.map((state) => `'${state}'`).join(', ')}], ${kind})`;

const REVERSED: Readonly<Record<string, string>> = {
  event_id: 'uuidv7()',
  kind: `'reversed'`,
  day: 'case when e.day < b.open_from then $3::date else e.day end',
  hour: 'case when e.day < b.open_from then $4::smallint else e.hour end',
  adjusts: `case when e.day < b.open_from and e.adjusts = '' then to_char(e.day, 'YYYY-MM') else e.adjusts end`,
  upstream_credits: '-e.upstream_credits',
  charged_credits: '-e.charged_credits',
};

/**
 * Dedupe, rows and sums in one statement (COPY into a stage and a statement per table are slower: docs/metering.md). Rows are written in
 * the order of their keys: two writers that share duplicates would deadlock otherwise.
 *
 * What moves an attempt is what counts; a move past what had counted (unsettled, taken) adds a row that takes that back. Usage of a closed
 * month goes into the sums of now, and says which month it adjusts.
 */
const RECORD = `
  with book as (select coalesce((select open_from from books where tenant_id = $1), '-infinity'::date) as open_from),
  shape as (
    select i.number, ${OF_SHAPE.map((name) => `i.${name}`).join(', ')}, ${rank('i.kind')} as rank,
           case when i.day < b.open_from then $3::date else i.day end as day,
           case when i.day < b.open_from then $4::smallint else i.hour end as hour,
           case when i.day < b.open_from then to_char(i.day, 'YYYY-MM') else '' end as adjusts
    from unnest(${sharedArrays(FIRST)}) with ordinality as i (${SHARED_NAMES.join(', ')}, number), book b
  ), incoming as (
    select * from unnest(${recordArrays(FIRST)}) as i (${OWN_NAMES.join(', ')}, number)
  ), deciding as (
    select distinct on (i.request_id, i.attempt) i.event_id, i.request_id, i.attempt, i.at, s.kind, s.key_id, s.rank
    from incoming i join shape s using (number) where s.kind <> 'served' order by i.request_id, i.attempt, s.rank desc, i.event_id
  ), known as (
    select e.request_id, e.attempt, max(${rank('e.kind')}) as rank
    from usage_events e where e.tenant_id = $1 and e.kind <> 'served' and e.request_id = any ($2) group by e.request_id, e.attempt
  ), moved as (
    select d.event_id, d.request_id, d.attempt, d.at, d.key_id, d.kind, k.rank as was
    from deciding d left join known k on k.request_id = d.request_id and k.attempt = d.attempt where d.rank > coalesce(k.rank, 0)
  ), recorded as (
    insert into usage_events (tenant_id, ${KEPT.join(', ')})
    select $1, case when s.kind = 'served' then 'used' when m.event_id is null then 'nothing'
                    when s.kind in ('settled', 'taken') then 'used' when s.kind = 'unsettled' then 'unsettled' else 'nothing' end,
           s.adjusts, ${OWN_NAMES.map((name) => `i.${name}`).join(', ')}, ${SHARED_NAMES.map((name) => `s.${name}`).join(', ')}
    from incoming i join shape s using (number) left join moved m on m.event_id = i.event_id order by i.event_id
    on conflict do nothing
    returning event_id, counts
  ), by_shape as (
    select i.number, r.counts, count(*) as calls, sum(i.upstream_credits) as upstream_credits, sum(i.charged_credits) as charged_credits
    from recorded r join incoming i using (event_id) where r.counts <> 'nothing' group by i.number, r.counts
  ), reversed as (
    insert into usage_events (tenant_id, ${KEPT.join(', ')})
    select $1, ${KEPT.map((name) => REVERSED[name] ?? `e.${name}`).join(', ')}
    from moved m join usage_events e on e.tenant_id = $1 and e.request_id = m.request_id and e.attempt = m.attempt and ${rank('e.kind')} = m.was, book b
    where m.was in (2, 4) and e.counts <> 'nothing'
    returning ${DIMENSIONS.hourly}, counts, -1 as calls, upstream_credits, charged_credits
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
  ), quota_rows as (
    insert into charged_daily as q (tenant_id, day, credits)
    select $1, day, sum(charged_credits) from daily where mode = 'live' group by day having sum(charged_credits) <> 0 order by day
    on conflict (tenant_id, day) do update set credits = q.credits + excluded.credits
  ), by_key as (
    select ${DIMENSIONS.byKey}, ${MEASURES.map((name) => `sum(${name}) as ${name}`).join(', ')} from daily group by ${DIMENSIONS.byKey}
  )
  select (select count(*) from recorded)::int as recorded,
         (select coalesce(json_agg(k), '[]') from by_key k) as keys,
         (select coalesce(json_agg(json_build_object('request_id', request_id, 'attempt', attempt, 'key_id', key_id, 'at', at)), '[]') from moved where kind = 'held') as opened,
         (select coalesce(json_agg(json_build_object('request_id', request_id, 'attempt', attempt)), '[]') from moved where kind = 'unsettled') as doubted,
         (select coalesce(json_agg(json_build_object('request_id', request_id, 'attempt', attempt)), '[]') from moved where was <= 2 and kind <> 'unsettled') as closed`;

// Up to some 100,000 records the planner would read all of them rather than look up those of the batch's calls, which takes longer by the half.
const BEGIN = `select pg_advisory_xact_lock(${USAGE_LOCK}), set_config('enable_seqscan', 'off', true)`;

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

/**
 * Counts entries of one tenant, each once, in that tenant's transaction.
 *
 * @param now ms
 */
export async function recordUsage(sql: Sql, tenant: TenantId, entries: readonly Entry[], now: number): Promise<Recorded> {
  await sql.query(BEGIN, [tenant]);
  const once = [...new Map(entries.toReversed().map((entry) => [entry.eventId, entry])).values()];
  const { rows } = await sql.query<Recorded & Record<string, unknown>>(RECORD, [tenant, attempted(once), utcDay(now), hourOf(now), ...columnsOf(once, now)]);
  if (rows[0] === undefined) throw new Error('recording usage answered nothing');
  return rows[0];
}

const attempted = (entries: readonly Entry[]): string[] => [...new Set(entries.flatMap(({ kind, requestId }) => (kind === 'served' ? [] : [requestId])))];

import { utcDay, type TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import type { Entry } from './entry';
import type { KeySums } from './key-usage';

type Column = readonly [name: string, type: string, of: (entry: Entry) => unknown];

const attemptOf = (entry: Entry) => (entry.kind === 'served' ? undefined : entry);
const settledOf = (entry: Entry) => (entry.kind === 'settled' ? entry : undefined);

const COLUMNS: readonly Column[] = [
  ['event_id', 'uuid', (e) => e.eventId],
  ['kind', 'text', (e) => e.kind],
  ['request_id', 'text', (e) => e.requestId],
  ['attempt', 'int', (e) => attemptOf(e)?.attempt ?? null],
  ['at', 'bigint', (e) => e.at],
  ['day', 'date', (e) => utcDay(e.at)],
  ['mode', 'text', (e) => e.mode],
  ['endpoint', 'text', (e) => e.endpoint],
  ['project_id', 'text', (e) => e.projectId ?? ''],
  ['token_id', 'text', (e) => e.tokenId ?? ''],
  ['price_version', 'text', (e) => e.priceVersion],
  ['purpose', 'text', (e) => attemptOf(e)?.purpose ?? null],
  ['key_owner', 'text', (e) => e.keyOwner],
  ['key_id', 'text', (e) => attemptOf(e)?.keyId ?? ''],
  ['key_version', 'int', (e) => attemptOf(e)?.keyVersion ?? null],
  ['key_mode', 'text', (e) => e.keyMode],
  ['cache', 'text', (e) => (e.kind === 'served' ? e.cache : 'miss')],
  ['upstream_status', 'int', (e) => settledOf(e)?.upstreamStatus ?? null],
  ['upstream_credits', 'bigint', (e) => e.upstreamCredits],
  ['charged_credits', 'bigint', (e) => e.chargedCredits],
  ['difference', 'text', (e) => (e.kind === 'unsettled' ? 'unsettled' : (settledOf(e)?.difference ?? ''))],
];

const NAMES = COLUMNS.map(([name]) => name).join(', ');
const ARRAYS = COLUMNS.map(([, type], index) => `$${index + 2}::${type}[]`).join(', ');
const DIMENSIONS = 'day, endpoint, project_id, token_id, key_owner, key_id, key_mode, mode, cache, difference';
const rank = (state: string) => `coalesce(array_position(array['held', 'unsettled', 'released', 'settled'], ${state}), 0)`;

/**
 * Dedupe, attempts and sums in one statement (COPY into a stage and a statement per table are slower: docs/metering.md). Rows are
 * written in the order of their keys: two writers that share duplicates would deadlock otherwise.
 *
 * An attempt moves only to a state of higher rank, so that the order of arrival does not matter; what moves it is what counts, and a
 * settlement that comes after 'unsettled' takes that back from the day on which it was counted.
 */
const RECORD = `
  with fresh as (
    insert into usage_events (tenant_id, ${NAMES})
    select $1, ${NAMES} from unnest(${ARRAYS}) as incoming (${NAMES}) order by event_id
    on conflict do nothing
    returning *
  ), deciding as (
    select distinct on (request_id, attempt) * from fresh where kind <> 'served'
    order by request_id, attempt, ${rank('kind')} desc, event_id
  ), moved as (
    select d.*, a.state as was, a.event_id as was_by
    from deciding d left join attempts a on a.tenant_id = $1 and a.request_id = d.request_id and a.attempt = d.attempt
    where ${rank('d.kind')} > ${rank('a.state')}
  ), attempt_rows as (
    insert into attempts (tenant_id, request_id, attempt, state, event_id, key_id, upstream_credits, charged_credits, at)
    select $1, request_id, attempt, kind, event_id, key_id, upstream_credits, charged_credits, at from moved order by request_id, attempt
    on conflict (tenant_id, request_id, attempt) do update
      set state = excluded.state, event_id = excluded.event_id, key_id = excluded.key_id, at = excluded.at,
          upstream_credits = excluded.upstream_credits, charged_credits = excluded.charged_credits
  ), counted as (
    select ${DIMENSIONS}, 1 as calls, upstream_credits, charged_credits, 0 as unsettled_credits from fresh where kind = 'served'
    union all
    select ${DIMENSIONS}, 1, upstream_credits, charged_credits, 0 from moved where kind = 'settled'
    union all
    select ${DIMENSIONS}, 0, 0, 0, upstream_credits from moved where kind = 'unsettled'
    union all
    select ${DIMENSIONS}, 0, 0, 0, -upstream_credits from usage_events
    where tenant_id = $1 and event_id in (select was_by from moved where was = 'unsettled')
  ), sums as (
    select ${DIMENSIONS}, sum(calls) as calls, sum(upstream_credits) as upstream_credits, sum(charged_credits) as charged_credits,
           sum(unsettled_credits) as unsettled_credits
    from counted group by ${DIMENSIONS}
  ), daily_rows as (
    insert into usage_daily as d (tenant_id, ${DIMENSIONS}, calls, upstream_credits, charged_credits, unsettled_credits)
    select $1, ${DIMENSIONS}, calls, upstream_credits, charged_credits, unsettled_credits from sums order by ${DIMENSIONS}
    on conflict (tenant_id, ${DIMENSIONS}) do update
      set calls = d.calls + excluded.calls, upstream_credits = d.upstream_credits + excluded.upstream_credits,
          charged_credits = d.charged_credits + excluded.charged_credits, unsettled_credits = d.unsettled_credits + excluded.unsettled_credits
  ), quota_rows as (
    insert into charged_daily as q (tenant_id, day, credits)
    select $1, day, sum(charged_credits) from sums where mode = 'live' group by day having sum(charged_credits) <> 0 order by day
    on conflict (tenant_id, day) do update set credits = q.credits + excluded.credits
  ), by_key as (
    select day, key_owner, key_id, mode, cache, difference, sum(calls) as calls, sum(upstream_credits) as upstream_credits,
           sum(charged_credits) as charged_credits, sum(unsettled_credits) as unsettled_credits
    from sums group by 1, 2, 3, 4, 5, 6
  )
  select (select count(*) from fresh)::int as recorded,
         (select coalesce(json_agg(k), '[]') from by_key k) as keys,
         (select coalesce(json_agg(json_build_object('request_id', request_id, 'attempt', attempt)), '[]') from moved where kind = 'held') as opened,
         (select coalesce(json_agg(json_build_object('request_id', request_id, 'attempt', attempt)), '[]') from moved where was = 'held') as closed`;

export interface AttemptId {
  readonly request_id: string;
  readonly attempt: number;
}

export interface Recorded {
  /** Entries that were new. */
  readonly recorded: number;
  /** What was added to the sums by key, for the sums over all tenants. */
  readonly keys: readonly KeySums[];
  readonly opened: readonly AttemptId[];
  readonly closed: readonly AttemptId[];
}

/** Counts entries of one tenant, each once, in that tenant's transaction. */
export async function recordUsage(sql: Sql, tenant: TenantId, entries: readonly Entry[]): Promise<Recorded> {
  // One writer a tenant at a time: its sums are the same few rows anyway, and an attempt's two records may be in two batches.
  await sql.query('select pg_advisory_xact_lock(hashtextextended($1, 9))', [tenant]);
  const { rows } = await sql.query<Recorded & Record<string, unknown>>(RECORD, [
    tenant,
    ...COLUMNS.map(([, , of]) => entries.map(of)),
  ]);
  if (rows[0] === undefined) throw new Error('recording usage answered nothing');
  return rows[0];
}

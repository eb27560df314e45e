import type { StoredEvent } from '@weir/audit-format';
import { EVENT_COLUMNS } from '@weir/event-store';
import type { TenantId } from '@weir/kernel';
import { EVENT_SEARCH } from './event-search.projection';

/** Which events of a log. */
export interface EventFilter {
  /** Position; those after it. */
  readonly after?: number | undefined;
  /** Position; none after it. */
  readonly until?: number | undefined;
  readonly type?: string | undefined;
  /** Id of who did it. */
  readonly actor?: string | undefined;
  readonly request?: string | undefined;
  /** When the log took it up: from inclusive, to exclusive, RFC 3339. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The last event of a page: where the next one goes on. */
export type Bookmark = Pick<StoredEvent, 'position' | 'recordedAt'>;

export interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

/** Whether a search asks for more than positions, which the log itself has by key. */
export const isNarrowed = ({ type, actor, request, from, to }: EventFilter): boolean =>
  [type, actor, request, from, to].some((given) => given !== undefined);

/**
 * Whether pages of a search follow the time and not the position. The two are the same but for a clock that was set back; asking by position
 * for a time would read everything before it.
 */
export const isByTime = ({ from, to, after }: EventFilter): boolean => (from !== undefined || to !== undefined) && after === undefined;

/** Straight from the log, whatever becomes of the search: for verification and export too. */
export function pageOfLog(log: TenantId, { after, until }: EventFilter, limit: number, bookmark?: Bookmark): Statement {
  const values: unknown[] = [log, Math.max(after ?? 0, bookmark?.position ?? 0), until ?? null, limit];
  const text = `select ${EVENT_COLUMNS} from events
    where tenant_id = $1 and position > $2 and ($3::bigint is null or position <= $3) order by position limit $4`;
  return { text, values };
}

/**
 * One statement, so of one moment: how far the live generation of the search's tables has come (`seen`), where the log ends (`last`), and a
 * page of what it found, joined to the log's own events; one row of nulls when that is nothing. OFFSET 0 and LATERAL keep the planner to the
 * way that stops where the page does: along the index, each event by key.
 */
export function pageOfSearch(log: TenantId, filter: EventFilter, limit: number, bookmark?: Bookmark): Statement {
  const byTime = isByTime(filter);
  const values: unknown[] = [log, EVENT_SEARCH.name, EVENT_SEARCH.version];
  const value = (given: unknown): string => `$${values.push(given)}`;
  const { after, until, type, actor, request, from, to } = filter;
  const conditions = [
    's.tenant_id = $1',
    's.generation = at.generation',
    ...(after === undefined ? [] : [`s.position > ${value(after)}`]),
    ...(until === undefined ? [] : [`s.position <= ${value(until)}`]),
    ...(type === undefined ? [] : [`s.type = ${value(type)}`]),
    ...(actor === undefined ? [] : [`s.actor_id = ${value(actor)}`]),
    ...(request === undefined ? [] : [`s.request_id = ${value(request)}`]),
    ...(from === undefined ? [] : [`s.recorded_at >= ${value(from)}`]),
    ...(to === undefined ? [] : [`s.recorded_at < ${value(to)}`]),
    ...(bookmark === undefined
      ? []
      : byTime
        ? [`(s.recorded_at, s.position) > (${value(bookmark.recordedAt)}::timestamptz, ${value(bookmark.position)}::bigint)`]
        : [`s.position > ${value(bookmark.position)}`]),
  ];
  const text = `
    select at.seen, at.last, e.* from (
      select coalesce(max(p.position), 0) as seen, max(p.generation) as generation,
             (select coalesce(max(position), 0) from events where tenant_id = $1) as last
      from log_projections p where p.tenant_id = $1 and p.projection = $2 and p.live and p.definition >= $3) at
    left join lateral (
      select s.recorded_at as moment, e.* from event_search s cross join lateral (
        select ${EVENT_COLUMNS} from events where events.tenant_id = s.tenant_id and events.position = s.position offset 0) e
      where ${conditions.join(' and ')}
      order by ${byTime ? 's.recorded_at, s.position' : 's.position'} limit ${value(limit)}) e on true
    order by ${byTime ? 'e.moment, e.position' : 'e.position'}`;
  return { text, values };
}

import type { StoredEvent } from '@weir/audit-format';
import { EVENT_COLUMNS, toEvent, type EventRow } from '@weir/event-store';
import type { TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

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

const PAGE = 500;

/** Reads logs, and nothing but reads them. */
export class EventSearch {
  constructor(private readonly work: UnitOfWork) {}

  /**
   * Oldest first: by position, or by time where it is time that is asked for. The two are the same but for a clock that was set back; asking by
   * position for a time would read everything before it, see the log's indexes.
   */
  page(log: TenantId, filter: EventFilter, limit: number, after?: Bookmark): Promise<StoredEvent[]> {
    const byTime = isByTime(filter);
    const values: unknown[] = [log];
    const value = (given: unknown): string => `$${values.push(given)}`;
    const conditions = [
      'tenant_id = $1',
      ...(filter.after === undefined ? [] : [`position > ${value(filter.after)}`]),
      ...(filter.until === undefined ? [] : [`position <= ${value(filter.until)}`]),
      ...(filter.type === undefined ? [] : [`type = ${value(filter.type)}`]),
      ...(filter.actor === undefined ? [] : [`actor_id = ${value(filter.actor)}`]),
      ...(filter.request === undefined ? [] : [`request_id = ${value(filter.request)}`]),
      ...(filter.from === undefined ? [] : [`recorded_at >= ${value(filter.from)}`]),
      ...(filter.to === undefined ? [] : [`recorded_at < ${value(filter.to)}`]),
      ...(after === undefined
        ? []
        : byTime
          ? [`(recorded_at, position) > (${value(after.recordedAt)}::timestamptz, ${value(after.position)}::bigint)`]
          : [`position > ${value(after.position)}`]),
    ];
    return this.work.inTenant(log, async (sql) => {
      const { rows } = await sql.query<EventRow>(
        `select ${EVENT_COLUMNS} from events where ${conditions.join(' and ')}
         order by ${byTime ? 'events.recorded_at, position' : 'position'} limit ${value(limit)}`,
        values,
      );
      return rows.map(toEvent);
    });
  }

  /** All of them, up to `limit`, a page in memory at a time and no transaction open between. */
  async *all(log: TenantId, filter: EventFilter, limit = Infinity, after?: Bookmark): AsyncGenerator<StoredEvent[]> {
    let last = after;
    for (let left = limit; left > 0;) {
      const asked = Math.min(PAGE, left);
      const events = await this.page(log, filter, asked, last);
      yield events;
      if (events.length < asked) return;
      last = events.at(-1);
      left -= events.length;
    }
  }
}

/** Whether pages of a search follow the time and not the position. */
export const isByTime = ({ from, to, after }: EventFilter): boolean => (from !== undefined || to !== undefined) && after === undefined;

import { EVENT_COLUMNS, toEvent, type EventRow, type StoredEvent } from '@weir/event-store';
import type { TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

/** Which events of a log. */
export interface EventFilter {
  /** Position; those after it. */
  readonly after: number;
  readonly type?: string | undefined;
  /** Id of who did it. */
  readonly actor?: string | undefined;
  /** When the log took it up: from inclusive, to exclusive, RFC 3339. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

const PAGE = 500;

/** Reads logs, and nothing but reads them. */
export class EventSearch {
  constructor(private readonly work: UnitOfWork) {}

  /** Oldest first. */
  page(log: TenantId, filter: EventFilter, limit: number): Promise<StoredEvent[]> {
    return this.work.inTenant(log, async (sql) => {
      const { rows } = await sql.query<EventRow>(
        `select ${EVENT_COLUMNS} from events
         where tenant_id = $1 and position > $2
           and ($3::text is null or type = $3)
           and ($4::text is null or actor_id = $4)
           and ($5::timestamptz is null or recorded_at >= $5)
           and ($6::timestamptz is null or recorded_at < $6)
         order by position limit $7`,
        [log, filter.after, filter.type ?? null, filter.actor ?? null, filter.from ?? null, filter.to ?? null, limit],
      );
      return rows.map(toEvent);
    });
  }

  /** All of them, up to `limit`, a page in memory at a time and no transaction open between. */
  async *all(log: TenantId, filter: EventFilter, limit = Infinity): AsyncGenerator<StoredEvent[]> {
    let { after } = filter;
    for (let left = limit; left > 0;) {
      const asked = Math.min(PAGE, left);
      const events = await this.page(log, { ...filter, after }, asked);
      yield events;
      const last = events.at(-1);
      if (last === undefined || events.length < asked) return;
      after = last.position;
      left -= events.length;
    }
  }
}

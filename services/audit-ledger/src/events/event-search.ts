import type { StoredEvent } from '@weir/audit-format';
import { toEvent, type EventRow } from '@weir/event-store';
import { AppError, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { isNarrowed, pageOfLog, pageOfSearch, type Bookmark, type EventFilter } from './event-pages';
import type { EventSearchIndex } from './event-search.projection';

const PAGE = 500;
/** For as long a search waits until its tables have what the log has. */
const WAIT_MS = 5_000;
/** Someone else's catching up may have ended just before the log's end was looked for. */
const TRIES = 5;

interface Found {
  readonly events: StoredEvent[];
  /** The position that the search's tables have come to, and the log's last. */
  readonly seen: number;
  readonly last: number;
}

/** Reads logs, and nothing but reads them. */
export class EventSearch {
  constructor(
    private readonly work: UnitOfWork,
    private readonly index: EventSearchIndex,
    private readonly waitMs = WAIT_MS,
  ) {}

  /**
   * Oldest first: by position, or by time where it is time that is asked for. Nothing that was in the log when it was asked is missing: the
   * search's tables are brought to the log's end first.
   *
   * @throws AppError `search-behind` when they could not be in time; they go on being brought there
   */
  async page(log: TenantId, filter: EventFilter, limit: number, after?: Bookmark): Promise<StoredEvent[]> {
    if (!isNarrowed(filter)) return this.read(log, filter, limit, after);
    const until = performance.now() + this.waitMs;
    let asked: number | undefined;
    for (let attempt = 1; ; attempt++) {
      const { events, seen, last } = await this.find(log, filter, limit, after);
      asked ??= last;
      if (seen >= asked) return events;
      const inTime = attempt <= TRIES && (await this.index.catchUpWithin(log, until - performance.now()));
      if (!inTime) throw behind(seen, asked);
    }
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

  private async read(log: TenantId, filter: EventFilter, limit: number, after?: Bookmark): Promise<StoredEvent[]> {
    const { text, values } = pageOfLog(log, filter, limit, after);
    const { rows } = await this.work.inTenant(log, (sql) => sql.query<EventRow>(text, values));
    return rows.map(toEvent);
  }

  private async find(log: TenantId, filter: EventFilter, limit: number, after?: Bookmark): Promise<Found> {
    const { text, values } = pageOfSearch(log, filter, limit, after);
    const { rows } = await this.work.inTenant(log, (sql) => sql.query<EventRow & { seen: string; last: string }>(text, values));
    return {
      events: rows.filter(({ position }) => position !== null).map(toEvent),
      seen: Number(rows[0]?.seen ?? 0),
      last: Number(rows[0]?.last ?? 0),
    };
  }
}

const behind = (seen: number, last: number) =>
  new AppError('search-behind', 'unavailable', `The search has come to event ${seen} of ${last} of this log. It goes on; try again in a moment.`, {
    retryAfter: 2,
    details: { seen, last },
  });

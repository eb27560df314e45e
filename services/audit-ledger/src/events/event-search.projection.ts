import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { BusRecord } from '@weir/bus';
import { projection, type Projection, type ProjectionDefinition } from '@weir/event-store';
import { AppError, sleep, type TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import type { UnitOfWork } from '@weir/tenancy';
import { EVENT_TOPICS, eventOf } from './event-records';

export const EVENT_SEARCH: ProjectionDefinition = {
  name: 'event-search',
  version: 1,
  tables: ['event_search'],
  // of envelopes alone, and the log's own bytes are what is shown
  asWritten: true,
  apply: async (sql, events, generation) => {
    const of = <T>(pick: (event: (typeof events)[number]) => T): T[] => events.map(pick);
    await sql.query(
      `insert into event_search (tenant_id, generation, position, type, actor_id, request_id, recorded_at)
       select $1, $2, * from unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])`,
      [
        events[0]?.tenantId,
        generation,
        of(({ position }) => position),
        of(({ type }) => type),
        of(({ actor }) => actor.id),
        of(({ requestId }) => requestId),
        of(({ recordedAt }) => recordedAt),
      ],
    );
  },
};

/** Brings the search's tables to the ends of logs: one piece of work a log, whoever waits for it. */
export class EventSearchIndex {
  private readonly projection: Projection;
  private readonly running = new Map<TenantId, Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(work: UnitOfWork, batch = 500) {
    this.projection = projection(work, EVENT_SEARCH, { batch });
  }

  /** What the log has by now, at the latest when it is asked for again after this. */
  catchUp(log: TenantId): Promise<void> {
    const running = this.running.get(log);
    if (running !== undefined) return running;
    const started = this.projection.catchUp(log, this.stopping.signal).finally(() => this.running.delete(log));
    this.running.set(log, started);
    return started;
  }

  /** @returns false when the time was over first; the work goes on for whoever asks again */
  async catchUpWithin(log: TenantId, ms: number): Promise<boolean> {
    const ended = new AbortController();
    const catchingUp = this.catchUp(log).then(() => true);
    // when the time is over first nobody waits for it any more
    catchingUp.catch(() => undefined);
    try {
      return await Promise.race([catchingUp, sleep(Math.max(0, ms), ended.signal).then(() => false)]);
    } finally {
      ended.abort();
    }
  }

  /** Between two batches of each. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.allSettled(this.running.values());
  }
}

/** Positions of a log have no gaps, so that each log passes this mark once in so many events. */
const EVERY = 500;

/** Keeps the search's tables close behind the logs, so that who searches waits for a few hundred events at most. */
@Controller()
export class EventSearchConsumer {
  constructor(private readonly index: EventSearchIndex) {}

  @Consumes(EVENT_TOPICS, 'audit-ledger.search', { maxBatch: 500 })
  async onEvents(@Payload() records: readonly BusRecord[]): Promise<void> {
    const due = records.map(eventOf).filter(({ position }) => position % EVERY === 0);
    for (const log of new Set(due.map(({ tenantId }) => tenantId as TenantId))) {
      await this.index.catchUp(log).catch((error: unknown) => {
        // purged since
        if (!(error instanceof AppError && error.category === 'not-found')) throw error;
      });
    }
  }
}

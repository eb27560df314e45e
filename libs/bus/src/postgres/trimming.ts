import type { Pool } from 'pg';

const EVERY_MS = 60_000;
const MOST_A_STATEMENT = 5_000;
const MOST_STATEMENTS = 20;
const TOMBSTONE_MS = 86_400_000;

/** Deletes records past their topic's retention, and day-old tombstones, a bounded number at a time; one process does it at a time. */
export class Trimming {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private stopped = false;

  constructor(
    private readonly pool: Pool,
    private readonly onError: (error: Error) => void,
  ) {}

  start(): void {
    this.timer ??= setInterval(() => {
      this.running ??= this.trim()
        .then(() => undefined, this.onError)
        .finally(() => (this.running = undefined));
    }, EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.running;
  }

  /** @returns how many records were deleted */
  async trim(): Promise<number> {
    let trimmed = 0;
    for (let i = 0; i < MOST_STATEMENTS && !this.stopped; i++) {
      const { rowCount } = await this.pool.query(
        `with old as (
           select o.* from weir_bus.topics t cross join lateral (
             select r.topic, r.partition, r."offset" from weir_bus.records r
             where r.topic = t.name and r.at < now() - t.retention_ms * interval '1 ms' order by r.at limit $1 for update skip locked) o
           where t.cleanup = 'delete' and t.retention_ms >= 0
         ), tombstones as (
           select r.topic, r.partition, r."offset" from weir_bus.records r join weir_bus.topics t on t.name = r.topic and t.cleanup = 'compact'
           where r.value is null and r.at < now() - $2 * interval '1 ms' limit $1 for update of r skip locked
         )
         delete from weir_bus.records r using (select * from old union all select * from tombstones) x
         where r.topic = x.topic and r.partition = x.partition and r."offset" = x."offset"`,
        [MOST_A_STATEMENT, TOMBSTONE_MS],
      );
      trimmed += rowCount ?? 0;
      if ((rowCount ?? 0) < MOST_A_STATEMENT) break;
    }
    return trimmed;
  }
}

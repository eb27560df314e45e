import type { Sql } from '@weir/tenancy';
import { LeaseLost, type Cursor, type Lease } from './lease';

interface Save {
  readonly lease: Lease;
  readonly cursor: Cursor;
  /** When, by the database's clock, there was nothing more; undefined: there was. */
  readonly drainedAt: number | undefined;
  readonly ended: boolean;
  resolve(): void;
  reject(error: Error): void;
}

/** One statement in flight; what is saved meanwhile goes with the next. A thousand tenants with an event each cost some dozen statements. */
export class Checkpoints {
  private waiting: Save[] = [];
  private running = false;

  constructor(private readonly sql: Sql) {}

  /** @throws LeaseLost and changes nothing when the lease is not the current one */
  save(save: Omit<Save, 'resolve' | 'reject'>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ ...save, resolve, reject });
      if (!this.running) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const saves = this.waiting.splice(0);
      try {
        const saved = await this.write(saves);
        for (const save of saves) {
          if (saved.has(save.lease.tenant)) save.resolve();
          else save.reject(new LeaseLost(save.lease.tenant));
        }
      } catch (error) {
        for (const save of saves) save.reject(error as Error);
      }
    }
    this.running = false;
  }

  // News goes only when its mark is the one that was seen: an append since has another, and one in progress holds the row.
  private async write(saves: readonly Save[]): Promise<Set<string>> {
    const { rows } = await this.sql.query<{ tenant_id: string }>(
      `with saves as (
         select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::float8[], $6::boolean[], $7::bigint[])
           as s(tenant_id, epoch, position, state_seq, drained_at, ended, mark)
       ), mine as (
         select c.tenant_id from weir.relay_checkpoints c join saves s using (tenant_id, epoch) order by c.tenant_id for update of c
       ), saved as (
         update weir.relay_checkpoints c
         set position = s.position, state_seq = s.state_seq, caught_up_at = coalesce(to_timestamp(s.drained_at / 1000), c.caught_up_at),
             lease_until = case when s.ended then now() else c.lease_until end
         from saves s where c.tenant_id = s.tenant_id and c.tenant_id in (select tenant_id from mine)
         returning c.tenant_id
       ), old as (
         select n.tenant_id from weir.news n join saves s using (tenant_id, mark)
         where s.drained_at is not null and n.tenant_id in (select tenant_id from saved) for update of n skip locked
       ), cleared as (
         delete from weir.news where tenant_id in (select tenant_id from old)
       )
       select tenant_id from saved`,
      [
        saves.map(({ lease }) => lease.tenant),
        saves.map(({ lease }) => lease.epoch),
        saves.map(({ cursor }) => cursor.position),
        saves.map(({ cursor }) => cursor.stateSeq),
        saves.map(({ drainedAt }) => drainedAt ?? null),
        saves.map(({ ended }) => ended),
        saves.map(({ lease }) => lease.mark),
      ],
    );
    return new Set(rows.map((row) => row.tenant_id));
  }
}

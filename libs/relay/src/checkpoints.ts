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

  private async write(saves: readonly Save[]): Promise<Set<string>> {
    const { rows } = await this.sql.query<{ tenant_id: string }>(
      'select tenant_id from weir.save_checkpoints($1, $2, $3, $4, $5, $6, $7) as saved(tenant_id)',
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

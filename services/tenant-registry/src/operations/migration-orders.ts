import { rfc3339, type Actor, type OperationId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

/** A run through every database, as an operator has asked for it. */
export interface MigrationOrderView {
  readonly id: string;
  /** cut-off: its process ended amid it. */
  readonly state: 'running' | 'done' | 'failed' | 'cut-off';
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** Schemas brought to the release, once it is done. */
  readonly migrated: number | null;
  readonly error: MigrationError | null;
  /** Who asked, as `operator:…`. */
  readonly by: string;
}

export interface MigrationError {
  readonly code: string;
  readonly message: string;
}

export type Outcome = { readonly state: 'done'; readonly migrated: number } | { readonly state: 'failed'; readonly error: MigrationError };

/** ms without a sign of life until another may begin. */
export const ALIVE_MS = 15_000;

const CUT_OFF: MigrationError = { code: 'cut-off', message: 'The process that ran it has ended. Run again: it goes on where it was.' };

/** On record in the home database, so that every replica says the same of it; one is under way at a time. */
export class MigrationOrders {
  constructor(private readonly work: UnitOfWork) {}

  /** @returns whether it is this process's to carry out; not if another is under way */
  begin(id: OperationId, { type, id: who }: Actor): Promise<boolean> {
    return this.work.inControl(async (sql) => {
      await sql.query(`update migration_orders set state = 'cut-off', error = $1, finished_at = alive_until where state = 'running' and alive_until < now()`, [CUT_OFF]);
      const { rowCount } = await sql.query(
        `insert into migration_orders (id, state, actor, alive_until) values ($1, 'running', $2, now() + $3 * interval '1 ms') on conflict do nothing`,
        [id, `${type}:${who}`, ALIVE_MS],
      );
      return rowCount === 1;
    });
  }

  async alive(id: OperationId): Promise<void> {
    await this.work.inControl((sql) => sql.query(`update migration_orders set alive_until = now() + $2 * interval '1 ms' where id = $1 and state = 'running'`, [id, ALIVE_MS]));
  }

  /** What came of it, also of one that had been given up for dead. */
  async end(id: OperationId, outcome: Outcome): Promise<void> {
    const { state } = outcome;
    await this.work.inControl((sql) =>
      sql.query('update migration_orders set state = $2, migrated = $3, error = $4, finished_at = now() where id = $1', [
        id,
        state,
        state === 'done' ? outcome.migrated : null,
        state === 'failed' ? outcome.error : null,
      ]),
    );
  }

  async cutOff(id: OperationId): Promise<void> {
    await this.work.inControl((sql) => sql.query(`update migration_orders set state = 'cut-off', error = $2, finished_at = now() where id = $1`, [id, CUT_OFF]));
  }

  async last(): Promise<MigrationOrderView | null> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<Row>(
        `select id, state, actor, migrated, error, started_at, finished_at, alive_until, state = 'running' and alive_until < now() as dead
         from migration_orders order by started_at desc, id desc limit 1`,
      ),
    );
    return rows[0] === undefined ? null : toView(rows[0]);
  }
}

interface Row {
  id: string;
  state: MigrationOrderView['state'];
  actor: string;
  migrated: number | null;
  error: MigrationError | null;
  started_at: Date;
  finished_at: Date | null;
  alive_until: Date;
  dead: boolean;
}

function toView(row: Row): MigrationOrderView {
  const finishedAt = row.dead ? row.alive_until : row.finished_at;
  return {
    id: row.id,
    state: row.dead ? 'cut-off' : row.state,
    startedAt: rfc3339(row.started_at.getTime()),
    finishedAt: finishedAt === null ? null : rfc3339(finishedAt.getTime()),
    migrated: row.migrated,
    error: row.dead ? CUT_OFF : row.error,
    by: row.actor,
  };
}

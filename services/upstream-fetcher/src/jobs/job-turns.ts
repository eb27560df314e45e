import type { TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import type { KeyOwner } from '../call/key-choice';
import type { Backlog } from './quote';

/** A job that a worker holds: to go on with, or, once it has ended, to delete. */
export interface Turn {
  readonly tenantId: TenantId;
  readonly jobId: string;
  readonly ended: boolean;
}

/** Within a job's transaction, after the tenant has been left: there is something to do from `dueAt` on. */
export async function setTurn(
  sql: Sql,
  turn: Turn & { readonly dueAt: number; readonly callsLeft: number; readonly keyOwner: KeyOwner; readonly upstream: string },
): Promise<void> {
  await sql.query(
    `insert into job_turns (tenant_id, job_id, ended, due_at, calls_left, key_owner, upstream) values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (tenant_id, job_id) do update set ended = excluded.ended, due_at = excluded.due_at, calls_left = excluded.calls_left`,
    [turn.tenantId, turn.jobId, turn.ended, new Date(turn.dueAt), turn.callsLeft, turn.keyOwner, turn.upstream],
  );
}

/** Within a job's transaction: it has ended, and its results stay until then. */
export async function endTurn(sql: Sql, { tenantId, jobId }: Turn, resultsUntil: number): Promise<void> {
  await sql.query(
    'update job_turns set ended = true, calls_left = 0, due_at = $3, lease = null, lease_until = null where tenant_id = $1 and job_id = $2',
    [tenantId, jobId, new Date(resultsUntil)],
  );
}

export async function removeTurn(sql: Sql, { tenantId, jobId }: Turn): Promise<void> {
  await sql.query('delete from job_turns where tenant_id = $1 and job_id = $2', [tenantId, jobId]);
}

interface Row {
  tenant_id: TenantId;
  job_id: string;
  ended: boolean;
}

/** Turns over all tenants. Of several workers one holds each, by a lease. */
export class JobTurns {
  constructor(
    private readonly work: UnitOfWork,
    private readonly leaseMs: number,
    private readonly onError: (error: Error) => void,
  ) {}

  /**
   * Those that are due and nobody holds, the oldest first and one of a tenant: its jobs run one after the other, so that more jobs are
   * no larger share.
   *
   * @param inHand what this worker works on already: not its own once more, when it was too busy to renew in time
   */
  async take(lease: string, atMost: number, inHand: readonly string[]): Promise<Turn[]> {
    const taken = await this.work.inEveryControl(
      (sql) =>
        sql.query<Row>(
          `update job_turns t set lease = $1, lease_until = now() + $2 * interval '1 ms'
           from (select tenant_id, job_id from job_turns j
                 where due_at <= now() and (lease_until is null or lease_until < now()) and job_id <> all ($4)
                   and (ended or not exists (
                     select from job_turns o where o.tenant_id = j.tenant_id and o.job_id <> j.job_id and not o.ended
                       and (o.lease_until > now() or (o.due_at <= now() and (o.due_at, o.job_id) < (j.due_at, j.job_id)))))
                 order by due_at limit $3 for update skip locked) due
           where t.tenant_id = due.tenant_id and t.job_id = due.job_id
           returning t.tenant_id, t.job_id, t.ended`,
          [lease, this.leaseMs, atMost, inHand],
        ),
      this.onError,
    );
    return taken.flatMap(({ rows }) => rows).map((row) => ({ tenantId: row.tenant_id, jobId: row.job_id, ended: row.ended }));
  }

  /** Whether it is still this worker's: false once another took it up, or the job has ended meanwhile. */
  async renew({ tenantId, jobId }: Turn, lease: string, callsLeft: number): Promise<boolean> {
    const { rowCount } = await this.besides(tenantId, (sql) =>
      sql.query(
        `update job_turns set lease_until = now() + $4 * interval '1 ms', calls_left = $5
         where tenant_id = $1 and job_id = $2 and lease = $3 and not ended`,
        [tenantId, jobId, lease, this.leaseMs, callsLeft],
      ),
    );
    return rowCount === 1;
  }

  /** Gives it back, to be taken again from `dueAt` on. */
  async rest({ tenantId, jobId }: Turn, lease: string, dueAt: number): Promise<void> {
    await this.besides(tenantId, (sql) =>
      sql.query(
        `update job_turns set lease = null, lease_until = null, due_at = case when ended then due_at else $4 end
         where tenant_id = $1 and job_id = $2 and lease = $3`,
        [tenantId, jobId, lease, new Date(dueAt)],
      ),
    );
  }

  /** A turn stands in the database of its tenant alone: the others are not asked, and need not be there. */
  private besides<T>(tenantId: TenantId, run: (sql: Sql) => Promise<T>): Promise<T> {
    return this.work.inTenant(tenantId, async (sql) => {
      await this.work.leaveTenant(sql);
      return run(sql);
    });
  }

  /** Upstream calls that jobs have left, by tenant and upstream; for quotes. */
  async backlogs(): Promise<Omit<Backlog, 'from'>[]> {
    const found = await this.work.inEveryControl(
      (sql) =>
        sql.query<{ tenant_id: TenantId; key_owner: KeyOwner; upstream: string; calls: number }>(
          `select tenant_id, key_owner, upstream, sum(calls_left)::int as calls from job_turns
           where not ended and calls_left > 0 group by tenant_id, key_owner, upstream`,
        ),
      this.onError,
    );
    return found.flatMap(({ rows }) => rows).map((row) => ({ tenantId: row.tenant_id, keyOwner: row.key_owner, upstream: row.upstream, calls: row.calls }));
  }
}

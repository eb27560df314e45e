import type { FetchJobEvent } from '@weir/contracts';
import type { EventLog } from '@weir/event-store';
import type { CommandContext, Decide, TenantId, TokenId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import type { KeyOwner } from '../call/key-choice';
import { cancel, create, deleteResults, fetchJob, finish, start, type FetchJob, type NewJob, type Sums } from './fetch-job';
import { addItems, cancelItems, NOTHING_YET, progressOf, type NewItem, type Progress } from './job-items';
import { endTurn, removeTurn, setTurn } from './job-turns';

/** What is kept of a new job beside its event. */
export interface JobRow {
  readonly name: string | undefined;
  readonly tokenId: TokenId | null;
  readonly maxAgeMs: number | undefined;
  readonly quotedFinish: string | null;
  readonly keyOwner: KeyOwner;
  /** The catalog of its items. */
  readonly upstream: string;
  readonly items: readonly NewItem[];
  readonly callsLeft: number;
}

const stream = (jobId: string): string => `fetch-job/${jobId}`;

/** The streams of jobs, with what is written in the transaction of their events: the job's row, its items, whose turn it is. */
export class FetchJobLog {
  constructor(
    private readonly events: EventLog,
    private readonly work: UnitOfWork,
    /** ms that results stay after a job's end. */
    private readonly keepMs: number,
  ) {}

  create(tenant: TenantId, job: NewJob, row: JobRow, context: CommandContext) {
    return this.decide(tenant, job.jobId, create(job), context, async (sql) => {
      await sql.query(
        `insert into fetch_jobs (tenant_id, job_id, name, status, purpose, mode, project_id, token_id, schedule_id, max_age_ms, items,
           quoted_credits, quoted_finish, created_at, expires_at)
         values ($1, $2, $3, 'waiting', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
        [
          tenant,
          job.jobId,
          row.name ?? null,
          job.purpose,
          job.mode,
          job.projectId,
          row.tokenId,
          job.scheduleId,
          row.maxAgeMs ?? null,
          job.items,
          job.quotedCredits,
          row.quotedFinish,
          new Date(context.at),
          // until it has ended: then it is seven days from there
          new Date(context.at + 2 * this.keepMs),
        ],
      );
      await addItems(sql, tenant, job.jobId, row.items);
      await this.work.leaveTenant(sql);
      const { callsLeft, keyOwner, upstream } = row;
      await setTurn(sql, { tenantId: tenant, jobId: job.jobId, ended: false, dueAt: context.at, callsLeft, keyOwner, upstream });
    });
  }

  start(tenant: TenantId, jobId: string, context: CommandContext) {
    return this.decide(tenant, jobId, start(jobId), context, async (sql) => {
      await sql.query(`update fetch_jobs set status = 'running' where tenant_id = $1 and job_id = $2`, [tenant, jobId]);
    });
  }

  async finish(tenant: TenantId, jobId: string, context: CommandContext) {
    const until = context.at + this.keepMs;
    const sums = sumsOf(await this.progress(tenant, jobId));
    return this.decide(tenant, jobId, finish(jobId, sums, until), context, (sql) => this.end(sql, tenant, jobId, 'finished', context.at, until));
  }

  async cancel(tenant: TenantId, jobId: string, context: CommandContext) {
    const until = context.at + this.keepMs;
    const progress = await this.progress(tenant, jobId);
    const decision = cancel(jobId, { ...sumsOf(progress), left: progress.pending }, until);
    return this.decide(tenant, jobId, decision, context, async (sql) => {
      await cancelItems(sql, tenant, jobId);
      await this.end(sql, tenant, jobId, 'cancelled', context.at, until);
    });
  }

  deleteResults(tenant: TenantId, jobId: string, context: CommandContext) {
    return this.decide(tenant, jobId, deleteResults(jobId), context, async (sql) => {
      await sql.query('delete from fetch_job_items where tenant_id = $1 and job_id = $2', [tenant, jobId]);
      await sql.query('delete from fetch_jobs where tenant_id = $1 and job_id = $2', [tenant, jobId]);
      await this.work.leaveTenant(sql);
      await removeTurn(sql, { tenantId: tenant, jobId, ended: true });
    });
  }

  async progress(tenant: TenantId, jobId: string): Promise<Progress> {
    const found = await this.work.inTenant(tenant, (sql) => progressOf(sql, tenant, [jobId]));
    return found.get(jobId) ?? NOTHING_YET;
  }

  private async end(sql: Sql, tenant: TenantId, jobId: string, status: 'finished' | 'cancelled', at: number, until: number): Promise<void> {
    await sql.query(
      `update fetch_jobs set status = $3, ended_at = $4, expires_at = $5, rests_until = null, rests_because = null
       where tenant_id = $1 and job_id = $2`,
      [tenant, jobId, status, new Date(at), new Date(until)],
    );
    await this.work.leaveTenant(sql);
    await endTurn(sql, { tenantId: tenant, jobId, ended: true }, until);
  }

  private decide(
    tenant: TenantId,
    jobId: string,
    decide: Decide<FetchJob, FetchJobEvent>,
    context: CommandContext,
    also: (sql: Sql) => Promise<void>,
  ) {
    return this.events.decide<FetchJob, FetchJobEvent>({ tenant, stream: stream(jobId), aggregate: fetchJob, decide, context, also });
  }
}

const sumsOf = ({ succeeded, failed, chargedCredits, cacheHits }: Progress): Sums => ({ succeeded, failed, chargedCredits, cacheHits });

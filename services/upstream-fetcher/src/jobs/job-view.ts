import { rfc3339, type TenantId, type TokenId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { NOTHING_YET, progressOf, type Progress } from './job-items';

/** A job as its tenant sees it. */
export interface JobView {
  readonly id: string;
  readonly name: string | null;
  readonly status: 'waiting' | 'running' | 'finished' | 'cancelled';
  readonly purpose: 'call' | 'refresh';
  readonly scheduleId: string | null;
  /** Pages known so far: an item of several pages becomes more as its answers say so. */
  readonly items: { readonly total: number; readonly succeeded: number; readonly failed: number; readonly pending: number; readonly cancelled: number };
  /** 0 to 1. */
  readonly progress: number;
  readonly credits: { readonly quoted: number; readonly charged: number };
  readonly cacheHits: number;
  /** While nothing of it can be fetched. */
  readonly rests: { readonly until: string; readonly because: string } | null;
  readonly createdAt: string;
  readonly quotedFinish: string | null;
  readonly endedAt: string | null;
  /** When items and answers are deleted. */
  readonly expiresAt: string;
}

interface Row {
  job_id: string;
  name: string | null;
  status: JobView['status'];
  purpose: JobView['purpose'];
  schedule_id: string | null;
  quoted_credits: number;
  quoted_finish: Date | null;
  rests_until: Date | null;
  rests_because: string | null;
  created_at: Date;
  ended_at: Date | null;
  expires_at: Date;
}

const COLUMNS = `job_id, name, status, purpose, schedule_id, quoted_credits, quoted_finish, rests_until, rests_because, created_at, ended_at, expires_at`;

/** Newest first; in a tenant's transaction. */
export async function listJobs(sql: Sql, tenant: TenantId, page: { limit: number; before: string | undefined }): Promise<JobView[]> {
  const { rows } = await sql.query<Row>(
    `select ${COLUMNS} from fetch_jobs where tenant_id = $1 and ($2::text is null or job_id < $2) and expires_at > now()
     order by job_id desc limit $3`,
    [tenant, page.before ?? null, page.limit + 1],
  );
  const progress = await progressOf(sql, tenant, rows.map(({ job_id }) => job_id));
  return rows.map((row) => toView(row, progress.get(row.job_id) ?? NOTHING_YET));
}

export async function readJob(sql: Sql, tenant: TenantId, jobId: string): Promise<JobView | undefined> {
  const { rows } = await sql.query<Row>(`select ${COLUMNS} from fetch_jobs where tenant_id = $1 and job_id = $2 and expires_at > now()`, [tenant, jobId]);
  if (rows[0] === undefined) return undefined;
  return toView(rows[0], (await progressOf(sql, tenant, [jobId])).get(jobId) ?? NOTHING_YET);
}

const time = (at: Date | null): string | null => at && rfc3339(at.getTime());

function toView(row: Row, { items, succeeded, failed, pending, cancelled, chargedCredits, cacheHits }: Progress): JobView {
  return {
    id: row.job_id,
    name: row.name,
    status: row.status,
    purpose: row.purpose,
    scheduleId: row.schedule_id,
    items: { total: items, succeeded, failed, pending, cancelled },
    progress: items === 0 ? 1 : (items - pending) / items,
    credits: { quoted: row.quoted_credits, charged: chargedCredits },
    cacheHits,
    rests: row.rests_until === null ? null : { until: rfc3339(row.rests_until.getTime()), because: row.rests_because ?? '' },
    createdAt: rfc3339(row.created_at.getTime()),
    quotedFinish: time(row.quoted_finish),
    endedAt: time(row.ended_at),
    expiresAt: rfc3339(row.expires_at.getTime()),
  };
}

/** What a worker needs of a job. */
export interface JobToRun {
  readonly projectId: string;
  readonly tokenId: TokenId | null;
  readonly mode: 'live' | 'test';
  readonly purpose: 'call' | 'refresh';
  readonly maxAgeMs: number | undefined;
  readonly createdAt: number;
}

export async function readJobToRun(sql: Sql, tenant: TenantId, jobId: string): Promise<JobToRun | undefined> {
  const { rows } = await sql.query<{ project_id: string; token_id: TokenId | null; mode: 'live' | 'test'; purpose: 'call' | 'refresh'; max_age_ms: string | null; created_at: Date }>(
    'select project_id, token_id, mode, purpose, max_age_ms, created_at from fetch_jobs where tenant_id = $1 and job_id = $2',
    [tenant, jobId],
  );
  const row = rows[0];
  return (
    row && {
      projectId: row.project_id,
      tokenId: row.token_id,
      mode: row.mode,
      purpose: row.purpose,
      maxAgeMs: row.max_age_ms === null ? undefined : Number(row.max_age_ms),
      createdAt: row.created_at.getTime(),
    }
  );
}

/** While nothing of it can be fetched: until when and why. Null: it goes on. */
export async function setRest(sql: Sql, tenant: TenantId, jobId: string, rest: { until: number; because: string } | null): Promise<void> {
  await sql.query('update fetch_jobs set rests_until = $3, rests_because = $4 where tenant_id = $1 and job_id = $2', [
    tenant,
    jobId,
    rest && new Date(rest.until),
    rest && rest.because,
  ]);
}

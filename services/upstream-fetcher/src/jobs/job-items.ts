import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { anySuppressed } from '../subject/suppressions';
import type { Sums } from './fetch-job';
import type { JobItem } from './job-form';

export interface NewItem extends JobItem {
  /** Whom it asks about, as erasure names them. */
  readonly subjects: readonly string[];
}

/** A page of an item, as a worker takes it. */
export interface PendingItem {
  readonly item: number;
  readonly page: number;
  readonly pages: number;
  readonly endpoint: string;
  readonly query: string;
  readonly tries: number;
}

export interface ItemAnswer {
  readonly requestId: string;
  readonly status: number;
  readonly credits: number;
  readonly cache: string | null;
  readonly body: Buffer;
  readonly subjects: readonly string[];
  readonly fetchedAt: number;
}

/** In a tenant's transaction, as all below. */
export async function addItems(sql: Sql, tenant: TenantId, jobId: string, items: readonly NewItem[]): Promise<void> {
  await sql.query(
    `insert into fetch_job_items (tenant_id, job_id, item, page, pages, endpoint, query, state, subjects)
     select $1, $2, n, 1, pages, endpoint, query, 'pending', string_to_array(subjects, ' ')
     from unnest($3::int[], $4::text[], $5::text[], $6::text[]) with ordinality as given(pages, endpoint, query, subjects, n)`,
    [
      tenant,
      jobId,
      items.map(({ pages }) => pages),
      items.map(({ endpoint }) => endpoint.id),
      items.map(({ query }) => query),
      items.map(({ subjects }) => subjects.join(' ')),
    ],
  );
}

export async function pendingItems(sql: Sql, tenant: TenantId, jobId: string, atMost: number): Promise<PendingItem[]> {
  const { rows } = await sql.query<PendingItem>(
    `select item, page, pages, endpoint, query, tries from fetch_job_items
     where tenant_id = $1 and job_id = $2 and state = 'pending' order by item, page limit $3`,
    [tenant, jobId, atMost],
  );
  return rows;
}

/** Kept also when the job was cancelled meanwhile: it is paid for. @param next the query of the page after it, where there is one */
export async function keepAnswer(
  sql: Sql,
  tenant: TenantId,
  jobId: string,
  { item, page, pages, endpoint }: PendingItem,
  answer: ItemAnswer,
  next: string | undefined,
): Promise<void> {
  // somebody in it has been erased while it was fetched: it is paid for, and nobody's to read
  const suppressed = await anySuppressed(sql, tenant, answer.subjects);
  await sql.query(
    `update fetch_job_items set state = $5, request_id = $6, status = $7, credits = $8, cache = $9, body = $10, subjects = $11, fetched_at = $12,
       error = $13 where tenant_id = $1 and job_id = $2 and item = $3 and page = $4 and state in ('pending', 'cancelled')`,
    [
      ...[tenant, jobId, item, page, suppressed ? 'failed' : 'done', answer.requestId, answer.status, answer.credits, answer.cache],
      ...[suppressed ? null : answer.body, suppressed ? [] : answer.subjects, new Date(answer.fetchedAt), suppressed ? 'subject-erased' : null],
    ],
  );
  if (next === undefined || suppressed) return;
  await sql.query(
    `insert into fetch_job_items (tenant_id, job_id, item, page, pages, endpoint, query, state, subjects)
     select tenant_id, job_id, $3, $4, $5, $6, $7, 'pending', $8 from fetch_jobs
     where tenant_id = $1 and job_id = $2 and status in ('waiting', 'running') on conflict do nothing`,
    [tenant, jobId, item, page + 1, pages, endpoint, next, answer.subjects],
  );
}

/** @param over whether it is given up, or tried again */
export async function keepFailure(
  sql: Sql,
  tenant: TenantId,
  jobId: string,
  { item, page }: PendingItem,
  failure: { readonly requestId: string; readonly error: string; readonly over: boolean },
): Promise<void> {
  await sql.query(
    `update fetch_job_items set tries = tries + 1, error = $5, request_id = $6, state = case when $7 then 'failed' else state end,
       query = case when $5 = 'subject-erased' then '' else query end
     where tenant_id = $1 and job_id = $2 and item = $3 and page = $4 and state = 'pending'`,
    [tenant, jobId, item, page, failure.error, failure.requestId, failure.over],
  );
}

export async function cancelItems(sql: Sql, tenant: TenantId, jobId: string): Promise<void> {
  await sql.query(`update fetch_job_items set state = 'cancelled' where tenant_id = $1 and job_id = $2 and state = 'pending'`, [tenant, jobId]);
}

export interface Progress extends Sums {
  readonly items: number;
  readonly pending: number;
  readonly cancelled: number;
  /** What the pending ones may still ask the upstream for. */
  readonly callsLeft: number;
}

/** Counted when asked for and kept nowhere: ten thousand rows are counted in a few ms, a counter would be locked by every item. */
export async function progressOf(sql: Sql, tenant: TenantId, jobIds: readonly string[]): Promise<Map<string, Progress>> {
  const { rows } = await sql.query<Progress & { job_id: string }>(
    `select job_id, count(*)::int as items, count(*) filter (where state = 'done')::int as succeeded,
       count(*) filter (where state = 'failed')::int as failed, count(*) filter (where state = 'pending')::int as pending,
       count(*) filter (where state = 'cancelled')::int as cancelled, coalesce(sum(credits), 0)::int as "chargedCredits",
       count(*) filter (where cache in ('hit', 'coalesced', 'stale'))::int as "cacheHits",
       coalesce(sum(pages - page + 1) filter (where state = 'pending'), 0)::int as "callsLeft"
     from fetch_job_items where tenant_id = $1 and job_id = any ($2) group by job_id`,
    [tenant, jobIds],
  );
  return new Map(rows.map(({ job_id, ...progress }) => [job_id, progress]));
}

export const NOTHING_YET: Progress = { items: 0, pending: 0, cancelled: 0, callsLeft: 0, succeeded: 0, failed: 0, chargedCredits: 0, cacheHits: 0 };

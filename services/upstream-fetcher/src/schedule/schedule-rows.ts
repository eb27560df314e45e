import { rfc3339, type ProjectId, type TenantId, type TokenId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import type { KeyOwner } from '../call/key-choice';
import type { Backlog } from '../jobs/quote';
import { nextTime } from './clock-times';

/** A schedule as its tenant sees it. */
export interface ScheduleView {
  readonly id: string;
  readonly name: string | null;
  readonly endpoint: string;
  readonly targets: number;
  readonly pages: number;
  readonly cron: string;
  readonly timezone: string;
  readonly maxAgeSeconds: number | null;
  readonly nextAt: string | null;
  readonly last: { readonly at: string; readonly jobId: string | null; readonly error: string | null } | null;
  readonly createdAt: string;
}

export interface ScheduleRow {
  readonly schedule_id: string;
  readonly name: string | null;
  readonly endpoint: string;
  readonly cron: string;
  readonly timezone: string;
  readonly pages: number;
  readonly params: Readonly<Record<string, string | number>>;
  readonly max_age_seconds: number | null;
  readonly project_id: ProjectId;
  readonly token_id: TokenId | null;
  readonly created_at: Date;
  readonly last_at: Date | null;
  readonly last_job_id: string | null;
  readonly last_error: string | null;
  readonly targets: number;
}

const COLUMNS = `schedule_id, name, endpoint, cron, timezone, pages, params, max_age_seconds, project_id, token_id, created_at, last_at, last_job_id,
  last_error, (select count(*)::int from refresh_targets t where t.tenant_id = s.tenant_id and t.schedule_id = s.schedule_id) as targets`;

/** In a tenant's transaction, as what follows. */
export async function readSchedule(sql: Sql, tenant: TenantId, id: string): Promise<ScheduleRow | undefined> {
  const { rows } = await sql.query<ScheduleRow>(`select ${COLUMNS} from refresh_schedules s where tenant_id = $1 and schedule_id = $2`, [tenant, id]);
  return rows[0];
}

export async function listSchedules(sql: Sql, tenant: TenantId, page: { limit: number; after: string | undefined }): Promise<ScheduleRow[]> {
  const { rows } = await sql.query<ScheduleRow>(
    `select ${COLUMNS} from refresh_schedules s where tenant_id = $1 and ($2::text is null or schedule_id > $2) order by schedule_id limit $3`,
    [tenant, page.after ?? null, page.limit + 1],
  );
  return rows;
}

export async function targetsOf(sql: Sql, tenant: TenantId, id: string): Promise<string[]> {
  const { rows } = await sql.query<{ target: string }>('select target from refresh_targets where tenant_id = $1 and schedule_id = $2 order by n', [tenant, id]);
  return rows.map(({ target }) => target);
}

export interface NewTarget {
  readonly target: string;
  readonly subjects: readonly string[];
}

export async function addSchedule(
  sql: Sql,
  tenant: TenantId,
  row: Omit<ScheduleRow, 'created_at' | 'last_at' | 'last_job_id' | 'last_error' | 'targets'>,
  targets: readonly NewTarget[],
): Promise<void> {
  await sql.query(
    `insert into refresh_schedules (tenant_id, schedule_id, name, endpoint, cron, timezone, pages, params, max_age_seconds, project_id, token_id, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now())`,
    [
      tenant,
      row.schedule_id,
      row.name,
      row.endpoint,
      row.cron,
      row.timezone,
      row.pages,
      JSON.stringify(row.params),
      row.max_age_seconds,
      row.project_id,
      row.token_id,
    ],
  );
  await sql.query(
    `insert into refresh_targets (tenant_id, schedule_id, n, target, subjects)
     select $1, $2, n, target, string_to_array(subjects, ' ') from unnest($3::text[], $4::text[]) with ordinality as given(target, subjects, n)`,
    [tenant, row.schedule_id, targets.map(({ target }) => target), targets.map(({ subjects }) => subjects.join(' '))],
  );
}

export async function removeSchedule(sql: Sql, tenant: TenantId, id: string): Promise<void> {
  await sql.query('delete from refresh_targets where tenant_id = $1 and schedule_id = $2', [tenant, id]);
  await sql.query('delete from refresh_schedules where tenant_id = $1 and schedule_id = $2', [tenant, id]);
}

export async function setLast(sql: Sql, tenant: TenantId, id: string, last: { at: number; jobId: string | null; error: string | null }): Promise<void> {
  await sql.query('update refresh_schedules set last_at = $3, last_job_id = $4, last_error = $5 where tenant_id = $1 and schedule_id = $2', [
    tenant,
    id,
    new Date(last.at),
    last.jobId,
    last.error,
  ]);
}

export function toView(row: ScheduleRow, now: number): ScheduleView {
  const next = nextTime(row.cron, row.timezone, now);
  return {
    id: row.schedule_id,
    name: row.name,
    endpoint: row.endpoint,
    targets: row.targets,
    pages: row.pages,
    cron: row.cron,
    timezone: row.timezone,
    maxAgeSeconds: row.max_age_seconds,
    nextAt: next === undefined ? null : rfc3339(next),
    last: row.last_at === null ? null : { at: rfc3339(row.last_at.getTime()), jobId: row.last_job_id, error: row.last_error },
    createdAt: rfc3339(row.created_at.getTime()),
  };
}

// -- Turns, in the control schema -----------------------------------------------------------------------------------------------

export interface DueSchedule {
  readonly tenantId: TenantId;
  readonly scheduleId: string;
  /** ms; the time that it was due at. */
  readonly at: number;
}

const CLAIM_MS = 60_000;
const BATCH = 20;

/** In a transaction that has left the tenant. */
export async function setScheduleTurn(sql: Sql, turn: DueSchedule & { calls: number; keyOwner: KeyOwner; upstream: string }): Promise<void> {
  await sql.query(
    `insert into schedule_turns (tenant_id, schedule_id, due_at, calls, key_owner, upstream) values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
    [turn.tenantId, turn.scheduleId, new Date(turn.at), turn.calls, turn.keyOwner, turn.upstream],
  );
}

export async function removeScheduleTurn(sql: Sql, tenantId: TenantId, scheduleId: string): Promise<void> {
  await sql.query('delete from schedule_turns where tenant_id = $1 and schedule_id = $2', [tenantId, scheduleId]);
}

/** From a turn on to its next one; only while it still is that turn. Null: never again. */
export async function moveTurn(sql: Sql, { tenantId, scheduleId, at }: DueSchedule, next: number | undefined): Promise<void> {
  if (next === undefined) return removeScheduleTurn(sql, tenantId, scheduleId);
  await sql.query('update schedule_turns set due_at = $4, claimed_until = null where tenant_id = $1 and schedule_id = $2 and due_at = $3', [
    tenantId,
    scheduleId,
    new Date(at),
    new Date(next),
  ]);
}

export async function claimDue(work: UnitOfWork, onError: (error: Error) => void): Promise<DueSchedule[]> {
  const claimed = await work.inEveryControl(
    (sql) =>
      sql.query<{ tenant_id: TenantId; schedule_id: string; due_at: Date }>(
        `update schedule_turns t set claimed_until = now() + $1 * interval '1 ms'
         from (select tenant_id, schedule_id from schedule_turns
               where due_at <= now() and (claimed_until is null or claimed_until < now()) order by due_at limit $2 for update skip locked) due
         where t.tenant_id = due.tenant_id and t.schedule_id = due.schedule_id returning t.tenant_id, t.schedule_id, t.due_at`,
        [CLAIM_MS, BATCH],
      ),
    onError,
  );
  return claimed.flatMap(({ rows }) => rows).map((row) => ({ tenantId: row.tenant_id, scheduleId: row.schedule_id, at: row.due_at.getTime() }));
}

const WITHIN = '1 day';

/** What schedules will ask for within a day. */
export async function comingBacklogs(work: UnitOfWork, onError: (error: Error) => void): Promise<Backlog[]> {
  const found = await work.inEveryControl(
    (sql) =>
      sql.query<{ tenant_id: TenantId; key_owner: KeyOwner; upstream: string; due_at: Date; calls: number }>(
        `select tenant_id, key_owner, upstream, due_at, calls from schedule_turns where due_at < now() + interval '${WITHIN}'`,
      ),
    onError,
  );
  return found.flatMap(({ rows }) => rows).map((row) => ({ tenantId: row.tenant_id, keyOwner: row.key_owner, upstream: row.upstream, from: row.due_at.getTime(), calls: row.calls }));
}

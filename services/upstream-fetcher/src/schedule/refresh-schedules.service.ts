import type { RefreshScheduleEvent } from '@weir/contracts';
import type { EventLog } from '@weir/event-store';
import { AppError, idFrom, isTransient, type Clock, type CommandContext, type Decide, type TenantId } from '@weir/kernel';
import { pseudonymsOf } from '@weir/subjects';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import type { Offered } from '@weir/upstream-catalog';
import type { Caller } from '../call/access';
import type { DataPlane } from '../call/call';
import { scheduleNotFound, tooManySchedules } from '../errors';
import { checkItems } from '../jobs/job-form';
import type { FetchJobs } from '../jobs/fetch-jobs.service';
import { callsOf } from '../jobs/quote';
import type { SubjectKeys } from '../subject/subject-keys';
import { subjectsAsked } from '../subject/subjects-in';
import { assertCron, nextTime } from './clock-times';
import { fire, refreshSchedule, remove, set, type RefreshSchedule } from './refresh-schedule';
import { cronOf, type ScheduleBody } from './schedule-form';
import {
  addSchedule,
  listSchedules,
  moveTurn,
  readSchedule,
  removeSchedule,
  removeScheduleTurn,
  setLast,
  setScheduleTurn,
  targetsOf,
  toView,
  type DueSchedule,
  type ScheduleView,
} from './schedule-rows';

export interface SchedulesParts {
  readonly events: EventLog;
  readonly work: UnitOfWork;
  /** By the endpoints' ids. */
  readonly offered: ReadonlyMap<string, Offered>;
  readonly jobs: FetchJobs;
  readonly keysOf: DataPlane['keysOf'];
  readonly subjectKeys: SubjectKeys;
  readonly clock: Clock;
}

const MOST_SCHEDULES = 100;

/** What a tenant has fetched by the clock. */
export class RefreshSchedules {
  constructor(private readonly parts: SchedulesParts) {}

  /** @throws AppError `invalid-request`, `too-many-schedules` */
  async create(caller: Caller, body: ScheduleBody, context: CommandContext): Promise<ScheduleView> {
    const { offered, work, clock, keysOf, subjectKeys } = this.parts;
    const tenant = caller.tenant.id;
    const cron = cronOf(body, offered.get(body.endpoint)?.endpoint.usualCron);
    assertCron(cron, body.timezone, clock());
    const { catalog, items } = checkItems(offered, jobOf(body, body.targets));
    const key = await subjectKeys.of(tenant);
    const targets = items.map(({ endpoint, query }, i) => ({ target: body.targets[i] ?? '', subjects: pseudonymsOf(key, subjectsAsked(endpoint, query)) }));
    const others = await work.inTenant(tenant, (sql) => listSchedules(sql, tenant, { limit: MOST_SCHEDULES, after: undefined }));
    if (others.length >= MOST_SCHEDULES) throw tooManySchedules(MOST_SCHEDULES);

    const id = idFrom('sch', `${tenant}/${context.commandId}`, context.at);
    const { endpoint, timezone, pages = 1 } = body;
    const at = nextTime(cron, timezone, clock()) ?? clock();
    const keyOwner = keysOf(caller, catalog).owner;
    await this.decide(tenant, id, set({ scheduleId: id, endpoint, targets: targets.length, pages, cron, timezone }), context, async (sql) => {
      const row = { schedule_id: id, name: body.name ?? null, endpoint, cron, timezone, pages, params: body.params ?? {}, max_age_seconds: body.maxAgeSeconds ?? null };
      await addSchedule(sql, tenant, { ...row, project_id: caller.projectId, token_id: caller.tokenId }, targets);
      await work.leaveTenant(sql);
      await setScheduleTurn(sql, { tenantId: tenant, scheduleId: id, at, calls: callsOf(items), keyOwner, upstream: catalog.id });
    });
    return this.get(tenant, id);
  }

  async list(tenant: TenantId, page: { limit: number; after: string | undefined }): Promise<ScheduleView[]> {
    const rows = await this.parts.work.inTenant(tenant, (sql) => listSchedules(sql, tenant, page));
    return rows.map((row) => toView(row, this.parts.clock()));
  }

  async get(tenant: TenantId, id: string): Promise<ScheduleView> {
    const row = await this.parts.work.inTenant(tenant, (sql) => readSchedule(sql, tenant, id));
    if (row === undefined) throw scheduleNotFound();
    return toView(row, this.parts.clock());
  }

  async remove(tenant: TenantId, id: string, context: CommandContext): Promise<void> {
    await this.decide(tenant, id, remove(id), context, async (sql) => {
      await removeSchedule(sql, tenant, id);
      await this.parts.work.leaveTenant(sql);
      await removeScheduleTurn(sql, tenant, id);
    });
  }

  /**
   * Its time has come: a job under an id that the time gives, so that whoever fires it once more makes no other. A run that its tenant may
   * not make now (suspended, the trial over) is left out, and says why; trouble that passes leaves it due.
   */
  async fire(due: DueSchedule, context: CommandContext): Promise<void> {
    const { work, jobs, clock } = this.parts;
    const { tenantId, scheduleId, at } = due;
    const found = await work.inTenant(tenantId, async (sql) => {
      const row = await readSchedule(sql, tenantId, scheduleId);
      return row && { row, targets: await targetsOf(sql, tenantId, scheduleId) };
    });
    if (found === undefined) return work.inTenant(tenantId, async (sql) => (await work.leaveTenant(sql), await removeScheduleTurn(sql, tenantId, scheduleId)));

    const { row, targets } = found;
    const jobId = idFrom('job', `${scheduleId}/${at}`, at);
    let error: string | null = targets.length === 0 ? 'no-targets' : null;
    if (error === null) {
      try {
        const caller: Caller = { ...jobs.callerFor(tenantId), projectId: row.project_id, tokenId: row.token_id, purpose: 'refresh' };
        const { endpoint, pages, params } = row;
        const body = jobOf({ endpoint, pages, params, maxAgeSeconds: row.max_age_seconds ?? undefined }, targets);
        await jobs.create(caller, body, context, { jobId, scheduleId });
      } catch (thrown) {
        if (!(thrown instanceof AppError) || isTransient(thrown)) throw thrown;
        error = thrown.code;
      }
    }
    // what was missed while nobody looked is made up for once, not once for each time
    const next = nextTime(row.cron, row.timezone, Math.max(at, clock()));
    const move = async (sql: Sql) => {
      await setLast(sql, tenantId, scheduleId, { at, jobId: error === null ? jobId : null, error });
      await work.leaveTenant(sql);
      await moveTurn(sql, due, next);
    };
    // with the event; a run that was left out has none, and one that was told already has moved before
    const told = error === null && (await this.decide(tenantId, scheduleId, fire(scheduleId, at, jobId), { ...context, commandId: `${context.commandId}/fired` }, move)).events.length > 0;
    if (!told) await work.inTenant(tenantId, move);
  }

  private decide(
    tenant: TenantId,
    id: string,
    decide: Decide<RefreshSchedule, RefreshScheduleEvent>,
    context: CommandContext,
    also: (sql: Sql) => Promise<void>,
  ) {
    const stream = `refresh-schedule/${id}`;
    return this.parts.events.decide<RefreshSchedule, RefreshScheduleEvent>({ tenant, stream, aggregate: refreshSchedule, decide, context, also });
  }
}

const jobOf = ({ endpoint, params, pages, maxAgeSeconds }: Pick<ScheduleBody, 'endpoint' | 'params' | 'pages' | 'maxAgeSeconds'>, targets: string[]) => ({
  endpoint,
  targets,
  ...(params === undefined ? {} : { params }),
  ...(pages === undefined ? {} : { pages }),
  ...(maxAgeSeconds === undefined ? {} : { maxAgeSeconds }),
});

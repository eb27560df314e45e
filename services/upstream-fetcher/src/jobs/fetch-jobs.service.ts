import type { Principal } from '@weir/access';
import { idFrom, type CommandContext, type TenantId } from '@weir/kernel';
import { pseudonymsOf } from '@weir/subjects';
import type { Offered } from '@weir/upstream-catalog';
import type { UnitOfWork } from '@weir/tenancy';
import { activeTenant, type Caller } from '../call/access';
import { jobNotFound, quoteExceeded } from '../errors';
import type { SubjectKeys } from '../subject/subject-keys';
import { subjectsAsked } from '../subject/subjects-in';
import type { Tables } from '../tables';
import type { FetchJobLog } from './fetch-job.log';
import { checkItems, type JobBody } from './job-form';
import { resultLines, type ResultPlace } from './job-results';
import { listJobs, readJob, type JobView } from './job-view';
import { callsOf, type Quote, type QuoteRequest } from './quote';

export interface JobsParts {
  readonly log: FetchJobLog;
  readonly work: UnitOfWork;
  readonly tables: Tables;
  /** By the endpoints' ids. */
  readonly offered: ReadonlyMap<string, Offered>;
  readonly subjectKeys: SubjectKeys;
  readonly quote: (request: QuoteRequest) => Promise<Quote>;
}

/** Where a job comes from when no request asked for it. */
export interface Origin {
  readonly jobId: string;
  readonly scheduleId: string;
}

/** A tenant's bulk fetches. */
export class FetchJobs {
  constructor(private readonly parts: JobsParts) {}

  /** Whose calls they are: the token's, or, for an operator, nobody's of the tenant's default project. */
  callerFor(tenantId: TenantId, by?: Principal): Caller {
    const { tables } = this.parts;
    const tenant = activeTenant(tables, tenantId);
    const plan = tables.plan(tenant.plan);
    if (by?.is !== 'token') return { tenant, plan, tokenId: null, projectId: tenant.defaultProject, mode: 'live', purpose: 'call' };
    const { tokenId, projectId, mode } = by;
    return { tenant, plan, tokenId, projectId, mode, purpose: 'call' };
  }

  /** @throws AppError `invalid-request`, and what a call would meet now: `trial-ended`, `upstream-key-missing`, `tenant-suspended` */
  async quote(caller: Caller, body: JobBody): Promise<Quote> {
    return this.parts.quote({ caller, ...checkItems(this.parts.offered, body), ...timesOf(body) });
  }

  /** @throws AppError as {@link quote}; `quote-exceeded` (409) when it is higher than `maxCredits` */
  async create(caller: Caller, body: JobBody, context: CommandContext, origin?: Origin): Promise<JobView> {
    const { log, offered, quote, subjectKeys } = this.parts;
    const tenant = caller.tenant.id;
    const { catalog, items } = checkItems(offered, body);
    const quoted = await quote({ caller, catalog, items, ...timesOf(body) });
    if (body.maxCredits !== undefined && quoted.credits.expected > body.maxCredits) throw quoteExceeded(quoted.credits.expected, body.maxCredits);
    const key = await subjectKeys.of(tenant);
    const jobId = origin?.jobId ?? idFrom('job', `${tenant}/${context.commandId}`, context.at);
    await log.create(
      tenant,
      {
        jobId,
        projectId: caller.projectId,
        purpose: caller.purpose,
        mode: caller.mode,
        items: items.length,
        endpoints: [...new Set(items.map(({ endpoint }) => endpoint.id))].sort(),
        quotedCredits: quoted.credits.expected,
        scheduleId: origin?.scheduleId ?? null,
      },
      {
        name: body.name,
        tokenId: caller.tokenId,
        maxAgeMs: timesOf(body).maxAgeMs,
        quotedFinish: quoted.finishesAt,
        keyOwner: quoted.key,
        upstream: catalog.id,
        items: items.map((item) => ({ ...item, subjects: pseudonymsOf(key, subjectsAsked(item.endpoint, item.query)) })),
        callsLeft: callsOf(items),
      },
      context,
    );
    return this.get(tenant, jobId);
  }

  list(tenant: TenantId, page: { limit: number; before: string | undefined }): Promise<JobView[]> {
    return this.parts.work.inTenant(tenant, (sql) => listJobs(sql, tenant, page));
  }

  /** @throws AppError `not-found`: also when its time is over */
  async get(tenant: TenantId, jobId: string): Promise<JobView> {
    const job = await this.parts.work.inTenant(tenant, (sql) => readJob(sql, tenant, jobId));
    if (job === undefined) throw jobNotFound();
    return job;
  }

  async cancel(tenant: TenantId, jobId: string, context: CommandContext): Promise<JobView> {
    await this.parts.log.cancel(tenant, jobId, context);
    return this.get(tenant, jobId);
  }

  async results(tenant: TenantId, jobId: string, after: ResultPlace): Promise<AsyncGenerator<string>> {
    await this.get(tenant, jobId);
    return resultLines(this.parts.work, tenant, jobId, after);
  }
}

const timesOf = ({ maxAgeSeconds, finishBy }: JobBody) => ({
  maxAgeMs: maxAgeSeconds === undefined ? undefined : maxAgeSeconds * 1_000,
  finishBy: finishBy === undefined ? undefined : Date.parse(finishBy),
});

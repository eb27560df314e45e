import type { Provider, Type } from '@nestjs/common';
import { newId, type CommandContext } from '@weir/kernel';
import type { ServiceRuntime } from '@weir/service-host';
import { offeredBy, type Catalog } from '@weir/upstream-catalog';
import { nothingShown } from '../call/answer';
import type { ResponseCache } from '../call/cache';
import type { DataPlane } from '../call/call';
import type { SubjectKeys } from '../subject/subject-keys';
import type { Tables } from '../tables';
import { RefreshSchedulesController } from '../schedule/refresh-schedules.http';
import { RefreshSchedules } from '../schedule/refresh-schedules.service';
import { startScheduleClock } from '../schedule/schedule-clock';
import { comingBacklogs } from '../schedule/schedule-rows';
import { FetchJobLog } from './fetch-job.log';
import { FetchJobsController } from './fetch-jobs.http';
import { FetchJobs } from './fetch-jobs.service';
import { NOTHING_YET, progressOf } from './job-items';
import { createRunner } from './job-runner';
import type { JobsConfig } from './job-settings';
import { JobTurns, type Turn } from './job-turns';
import { startJobWorkers } from './job-workers';
import { createQuote, type QuoteParts } from './quote';

export interface JobsSurroundings {
  readonly runtime: ServiceRuntime;
  readonly config: JobsConfig;
  readonly tables: Tables;
  readonly catalogs: readonly Catalog[];
  readonly dataPlane: DataPlane;
  readonly cache: ResponseCache;
  readonly subjectKeys: SubjectKeys;
  readonly random: () => number;
  readonly onError: (error: Error) => void;
}

export interface OpenJobs {
  readonly jobs: FetchJobs;
  readonly controllers: Type[];
  readonly providers: Provider[];
  /** The workers, where this process has the role. */
  start(): void;
}

const DAY_MS = 86_400_000;

/** Bulk fetches and what makes them by the clock: their routes, and the loops that carry them out. */
export function openJobs({ runtime, config, tables, catalogs, dataPlane, cache, subjectKeys, random, onError }: JobsSurroundings): OpenJobs {
  const { work, events, clock } = runtime;
  const offered = offeredBy(catalogs);
  const keepMs = config.jobResultsDays * DAY_MS;
  const log = new FetchJobLog(events, work, keepMs);
  const turns = new JobTurns(work, config.jobLeaseMs, onError);

  const cachedAt: QuoteParts['cachedAt'] = async (caller, catalog, keys, { endpoint, query }) => {
    const at = clock();
    const call = { ...caller, catalog, endpoint, query, keys, requestId: newId('req', at), priority: 'batch', shown: nothingShown(), waitUntil: at, deadline: at } as const;
    const found = await cache.read(call, undefined);
    return found?.fresh === true ? found.kept.fetchedAt : undefined;
  };
  const backlogs = async () => [...(await turns.backlogs()).map((backlog) => ({ ...backlog, from: undefined })), ...(await comingBacklogs(work, onError))];
  const quote = createQuote({ tables, keysOf: dataPlane.keysOf, cachedAt, backlogs, concurrency: config.jobConcurrency, clock });
  const jobs = new FetchJobs({ log, work, tables, offered, subjectKeys, quote });

  const schedules = new RefreshSchedules({ events, work, offered, jobs, keysOf: dataPlane.keysOf, subjectKeys, clock });

  const context = (action: string, of: string): CommandContext => {
    const at = clock();
    return { actor: { type: 'service', id: 'upstream-fetcher' }, commandId: `${action}/${of}`, at, action, requestId: newId('req', at) };
  };
  const contextOf = ({ jobId }: Turn, action: string) => context(action, jobId);
  return {
    jobs,
    controllers: [FetchJobsController, RefreshSchedulesController],
    providers: [
      { provide: FetchJobs, useValue: jobs },
      { provide: RefreshSchedules, useValue: schedules },
    ],
    start() {
      const { jobConcurrency: concurrency, jobPatienceMs: patienceMs, jobsAtOnce: atOnce, jobLeaseMs: leaseMs, jobsEveryMs: everyMs } = config;
      const run = createRunner({ dataPlane, tables, offered, log, work, subjectKeys, clock, random, concurrency, patienceMs, longestMs: keepMs, contextOf });
      const callsLeft = async ({ tenantId, jobId }: Turn) => {
        const progress = await work.inTenant(tenantId, (sql) => progressOf(sql, tenantId, [jobId]));
        return (progress.get(jobId) ?? NOTHING_YET).callsLeft;
      };
      const workers = startJobWorkers({ turns, run, log, callsLeft, atOnce, leaseMs, everyMs, contextOf, onError });
      runtime.onStop(() => workers.stop());
      const ticking = startScheduleClock({
        schedules,
        work,
        everyMs,
        contextOf: ({ scheduleId, at }) => context('refresh-schedule', `${scheduleId}/${at}`),
        onError,
      });
      runtime.onStop(() => ticking.stop());
    },
  };
}

import { newId, sleep, type Clock, type CommandContext, type ProjectId, type TenantId } from '@weir/kernel';
import type { Offered } from '@weir/upstream-catalog';
import type { UnitOfWork } from '@weir/tenancy';
import { activeTenant, type Caller } from '../call/access';
import { nothingShown } from '../call/answer';
import type { DataPlane } from '../call/call';
import type { SubjectKeys } from '../subject/subject-keys';
import { jsonIn, subjectsIn } from '../subject/subjects-in';
import type { Tables } from '../tables';
import type { FetchJobLog } from './fetch-job.log';
import { troubleOf, type Trouble } from './item-outcome';
import { keepAnswer, keepFailure, pendingItems, type PendingItem } from './job-items';
import { readJobToRun, setRest, type JobToRun } from './job-view';
import type { Turn } from './job-turns';
import { nextPage } from './next-page';

export interface RunnerParts {
  readonly dataPlane: DataPlane;
  readonly tables: Tables;
  /** By the endpoints' ids. */
  readonly offered: ReadonlyMap<string, Offered>;
  readonly log: FetchJobLog;
  readonly work: UnitOfWork;
  readonly subjectKeys: SubjectKeys;
  readonly clock: Clock;
  readonly random: () => number;
  /** Items of one job under way at once. */
  readonly concurrency: number;
  /** A limit that lasts longer is not waited for in hand: the job rests, and another has the place. */
  readonly patienceMs: number;
  /** ms after its making that what is left of a job is given up. */
  readonly longestMs: number;
  readonly contextOf: (job: Turn, action: string) => CommandContext;
}

/** What became of a turn: nothing is left to do, or it goes on at that time. */
export type TurnEnd = { readonly is: 'done' } | { readonly is: 'rests'; readonly until: number };

const MOST_TRIES = 3;
const AHEAD = 1;
const LONGEST_WAIT_MS = 30_000;

/**
 * Goes on with a job: takes what is pending, fetches it as a call of the tenant, keeps what came of it. It keeps no place of its own, so
 * that whoever follows a worker that died goes on from what is in the table; what was in flight then is asked for again, and is
 * mostly in the cache.
 *
 * @param signal the process is stopping, or the turn is no longer this worker's: what is in flight is finished, nothing is begun
 */
export function createRunner(parts: RunnerParts): (turn: Turn, signal: AbortSignal) => Promise<TurnEnd> {
  const { work, clock, log } = parts;

  return async function run(turn, signal) {
    const { tenantId, jobId } = turn;
    const job = await work.inTenant(tenantId, (sql) => readJobToRun(sql, tenantId, jobId));
    if (job === undefined) return { is: 'done' };
    await log.start(tenantId, jobId, parts.contextOf(turn, 'fetch-job-start'));
    await work.inTenant(tenantId, (sql) => setRest(sql, tenantId, jobId, null));

    const stopping = new AbortController();
    const either = AbortSignal.any([signal, stopping.signal]);
    let rest: { until: number; because: string } | undefined;
    const next = queue(turn, either);
    const lane = async () => {
      for (let item = await next(); item !== undefined; item = await next()) {
        const trouble = await fetchItem(turn, job, item, either);
        if (trouble === undefined) continue;
        rest ??= { until: clock() + trouble.ms, because: trouble.because };
        stopping.abort();
      }
    };
    await Promise.all(Array.from({ length: parts.concurrency }, lane));

    if (rest !== undefined) {
      const resting = rest;
      await work.inTenant(tenantId, (sql) => setRest(sql, tenantId, jobId, resting));
      return { is: 'rests', until: rest.until };
    }
    if (signal.aborted) return { is: 'rests', until: clock() };
    await log.finish(tenantId, jobId, parts.contextOf(turn, 'fetch-job-finish'));
    return { is: 'done' };
  };

  /** Pending items one after the other; undefined: none is left, also none that one in flight may bring. */
  function queue({ tenantId, jobId }: Turn, signal: AbortSignal): () => Promise<PendingItem | undefined> {
    const taken = new Set<string>();
    let ready: PendingItem[] = [];
    let asking: Promise<void> | undefined;
    const nameOf = ({ item, page }: PendingItem) => `${item}.${page}`;
    const ask = async () => {
      const found = await work.inTenant(tenantId, (sql) => pendingItems(sql, tenantId, jobId, taken.size + parts.concurrency * AHEAD));
      const pending = new Set(found.map(nameOf));
      // what is not pending any more has been dealt with
      for (const name of taken) if (!pending.has(name)) taken.delete(name);
      ready = found.filter((item) => !taken.has(nameOf(item)));
    };
    return async function next() {
      while (!signal.aborted) {
        const item = ready.shift();
        if (item !== undefined) {
          taken.add(nameOf(item));
          return item;
        }
        await (asking ??= ask().finally(() => (asking = undefined)));
        if (ready.length === 0) return undefined;
      }
      return undefined;
    };
  }

  /** @returns trouble that is the job's and not the item's: it rests, with the item pending */
  async function fetchItem(turn: Turn, job: JobToRun, item: PendingItem, signal: AbortSignal): Promise<Extract<Trouble, { is: 'wait' }> | undefined> {
    const { tenantId, jobId } = turn;
    const offered = parts.offered.get(item.endpoint);
    for (let tries = item.tries + 1; ;) {
      const requestId = newId('req', clock());
      try {
        if (offered === undefined) throw new Error('the endpoint is in no catalog any more');
        await fetchOnce(turn, job, item, offered, requestId);
        return undefined;
      } catch (error) {
        const tooOld = clock() - job.createdAt > parts.longestMs;
        const trouble = troubleOf(error);
        if (trouble.is === 'wait' && !tooOld) {
          if (trouble.ms > parts.patienceMs) return trouble;
          await sleep(trouble.ms * (1 + 0.1 * parts.random()), signal);
          if (signal.aborted) return undefined;
          continue;
        }
        const code = trouble.is === 'wait' ? trouble.because : trouble.code;
        const over = tooOld || trouble.is === 'hopeless' || tries >= MOST_TRIES;
        await work.inTenant(tenantId, (sql) => keepFailure(sql, tenantId, jobId, item, { requestId, error: code, over }));
        if (over) return undefined;
        await sleep(1_000 * 2 ** tries * parts.random(), signal);
        if (signal.aborted) return undefined;
        tries++;
      }
    }
  }

  async function fetchOnce({ tenantId, jobId }: Turn, job: JobToRun, item: PendingItem, { catalog, endpoint }: Offered, requestId: CallId): Promise<void> {
    const shown = nothingShown();
    const answer = await parts.dataPlane.callFor(
      callerOf(tenantId, job),
      {
        requestId,
        catalog,
        path: endpoint.path,
        query: new URLSearchParams(item.query),
        maxAgeMs: job.maxAgeMs,
        maxWaitMs: LONGEST_WAIT_MS,
        patient: true,
        priority: 'batch',
      },
      shown,
    );
    const parsed = jsonIn(answer.body);
    const next = answer.status === 200 && item.page < item.pages ? nextPage(endpoint, item.query, parsed) : undefined;
    const subjects = await parts.subjectKeys.pseudonymsOf(tenantId, subjectsIn(endpoint, item.query, parsed));
    const kept = {
      requestId,
      status: answer.status,
      credits: shown.credits,
      cache: shown.cache ?? null,
      body: answer.body,
      subjects,
      fetchedAt: shown.fetchedAt ?? clock(),
    };
    await work.inTenant(tenantId, (sql) => keepAnswer(sql, tenantId, jobId, item, kept, next));
  }

  function callerOf(tenantId: TenantId, { projectId, tokenId, mode, purpose }: JobToRun): Caller {
    const tenant = activeTenant(parts.tables, tenantId);
    return { tenant, plan: parts.tables.plan(tenant.plan), tokenId, projectId: projectId as ProjectId, mode, purpose };
  }
}

type CallId = ReturnType<typeof newId<'req'>>;

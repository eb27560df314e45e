import type { Usage } from '@weir/contracts';
import { PLATFORM, newId, sleep, type TenantId } from '@weir/kernel';
import { offeredBy, tiklive, type Endpoint } from '@weir/upstream-catalog';
import { checkItems, nothingShown, openSimulatedPath, troubleOf, type Backlog, type Caller, type JobItem, type SimulatedPath } from '@weir/upstream-fetcher/simulation';
import { bodyOf } from './bodies';
import { PRO, TRIAL, keyOf, seeded, watchers, type Watcher } from './population';
import { SimulatedTime } from './simulated-time';

const HOUR = 3_600_000;
/** A Thursday: followers are fetched on it. */
const MIDNIGHT = Date.UTC(2026, 10, 26);
export const NIGHT_ENDS = MIDNIGHT + 6 * HOUR;
const LANES = 4;
const SEED = 200;
const LONGEST_WAIT_MS = 30_000;
const CLIENT_TRIES = 5;
const FRESH_MS = 6 * HOUR;

/** One night's job of one tenant. */
export interface NightJob {
  readonly trial: boolean;
  readonly items: number;
  readonly quotedCredits: number;
  readonly quotedFinish: number | undefined;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly charged: number;
}

export interface DayResult {
  readonly jobs: readonly NightJob[];
  readonly calls: number;
  /** Daily credits of each trial tenant. */
  readonly trialCredits: readonly number[];
  /** Comments that were refused because the day's credits were used up, and for another limit after all tries. */
  readonly refusedByCap: number;
  readonly refusedOtherwise: number;
  /** Credits by which an equation is off, over all keys and over all tenants. */
  readonly keysOffBy: number;
  readonly tenantsOffBy: number;
  /** Profiles asked for once more at 07:30, those of them that were there, and what they cost upstream. */
  readonly secondReads: number;
  readonly secondReadsFree: number;
  readonly secondReadCredits: number;
  readonly platformCredits: number;
}

interface Waiting {
  readonly watcher: Watcher;
  readonly items: readonly JobItem[];
  readonly dueAt: number;
  readonly calls: number;
  left: number;
  made: boolean;
}

const NIGHT = [
  { at: MIDNIGHT + 2 * HOUR, endpoint: 'userinfo-by-username', target: (n: number) => `creator${n}` },
  { at: MIDNIGHT + 2.5 * HOUR, endpoint: 'user-posts', target: (n: number) => String(7_000_000_000 + n) },
  { at: MIDNIGHT + 4 * HOUR, endpoint: 'user-followers', target: (n: number) => String(7_000_000_000 + n) },
];

/** The fewest platform keys that could do it: what the night asks for in four hours, at the rate of a standard key. */
export function fewestKeys(): number {
  const trial = watchers(seeded(SEED), MIDNIGHT).filter(({ tenant }) => tenant.keyMode === 'shared');
  const calls = trial.reduce((sum, { creators }) => sum + creators.length * NIGHT.length, 0);
  return Math.ceil(calls / ((NIGHT_ENDS - (NIGHT[0]?.at ?? 0)) / 60_000) / tiklive.keyRate.perMinute);
}

/** The article's day on a simulated clock, over the way that a call goes in a process. */
export async function simulateDay(platformKeys: number, progress: (line: string) => void): Promise<DayResult> {
  const time = new SimulatedTime(MIDNIGHT);
  const random = seeded(SEED);
  const all = watchers(random, MIDNIGHT);
  const own = all.filter(({ tenant }) => tenant.keyMode === 'byo').map(({ tenant }) => keyOf(tenant.id, 1));
  const keys = [...Array.from({ length: platformKeys }, (_, n) => keyOf(PLATFORM, n)), ...own];
  const waiting: Waiting[] = NIGHT.flatMap(({ at, endpoint, target }) =>
    all.map((watcher) => {
      const { items } = checkItems(offeredBy([tiklive]), { endpoint, targets: watcher.creators.map(target) });
      return { watcher, items, dueAt: at, calls: items.length, left: items.length, made: false };
    }),
  );
  const captured = new Map<string, number>();
  time.install();
  const path = openSimulatedPath({
    clock: time.clock,
    random,
    tenants: new Map(all.map(({ tenant }) => [tenant.id, tenant])),
    plans: new Map([TRIAL, PRO].map((plan) => [`${plan.id}@${plan.version}`, plan])),
    keys,
    latencyMs: () => 400 + 700 * random(),
    body: bodyOf,
    concurrency: LANES,
    backlogs: () => waiting.flatMap((job) => (job.left === 0 ? [] : [backlogOf(job)])),
    captured: (tenant, endpoint, query, at) => void captured.set(`${tenant}/${endpoint.id}?${query}`, at),
  });
  const counting = count(path);
  try {
    const jobs: NightJob[] = [];
    const busy = new Map<TenantId, Promise<void>>();
    const run = async (job: Waiting) => {
      const quoted = await path.quote({ caller: callerOf(job.watcher), catalog: tiklive, items: job.items, maxAgeMs: undefined, finishBy: NIGHT_ENDS });
      const startedAt = time.clock();
      job.made = true;
      const { tenant } = job.watcher;
      const turn = (busy.get(tenant.id) ?? Promise.resolve()).then(async () => {
        const charged = await fetchAll(path, job, random, counting);
        jobs.push({
          trial: tenant.keyMode === 'shared',
          items: job.items.length,
          quotedCredits: quoted.credits.expected,
          quotedFinish: quoted.finishesAt === null ? undefined : Date.parse(quoted.finishesAt),
          startedAt,
          finishedAt: time.clock(),
          charged,
        });
      });
      busy.set(tenant.id, turn);
    };
    for (const at of NIGHT.map((night) => night.at)) {
      await time.runUntil(at);
      for (const job of waiting) if (job.dueAt === at) await run(job);
      progress(`${new Date(at).toISOString().slice(11, 16)}  quoted and begun; ${counting.calls} calls so far`);
    }
    await time.runUntil(MIDNIGHT + 7.5 * HOUR);
    progress(`07:30  ${jobs.length} of ${waiting.length} jobs done; ${counting.calls} calls so far`);
    const second = readAgain(path, all, captured, time.clock());
    for (const watcher of all) askForComments(path, watcher, random, counting);
    await time.runUntil(MIDNIGHT + 23 * HOUR);
    progress(`23:00  ${counting.calls} calls`);
    return { jobs, ...second, ...summary(path, all, counting) };
  } finally {
    time.uninstall();
    await path.close();
  }
}

const backlogOf = ({ watcher: { tenant }, dueAt, left, made }: Waiting): Backlog => ({
  tenantId: tenant.id,
  keyOwner: tenant.keyMode === 'byo' ? 'own' : 'platform',
  upstream: tiklive.id,
  from: made ? undefined : dueAt,
  calls: left,
});

const callerOf = ({ tenant }: Watcher): Caller => ({
  tenant,
  plan: tenant.plan.id === 'free' ? TRIAL : PRO,
  tokenId: null,
  projectId: tenant.defaultProject,
  mode: 'live',
  purpose: 'refresh',
});

interface Counting {
  calls: number;
  refusedByCap: number;
  refusedOtherwise: number;
  /** By what the caller was told, and by what went on the record. */
  readonly told: Map<TenantId, number>;
  readonly charged: Map<TenantId, number>;
  readonly settled: Map<string, number>;
}

function count(path: SimulatedPath): Counting {
  const counting: Counting = { calls: 0, refusedByCap: 0, refusedOtherwise: 0, told: new Map(), charged: new Map(), settled: new Map() };
  path.usage((record: Usage) => {
    if (record.kind === 'settled') add(counting.settled, record.keyId, record.upstreamCredits);
    if (record.kind === 'settled' || record.kind === 'served') add(counting.charged, record.tenantId, record.chargedCredits);
  });
  return counting;
}

const add = <K>(sums: Map<K, number>, name: K, credits: number): void => void sums.set(name, (sums.get(name) ?? 0) + credits);

/** As a worker does: a few items at once, a limit waited for, whatever it is. */
async function fetchAll(path: SimulatedPath, job: Waiting, random: () => number, counting: Counting): Promise<number> {
  const caller = callerOf(job.watcher);
  const items = [...job.items];
  let charged = 0;
  const lane = async () => {
    for (let item = items.shift(); item !== undefined; item = items.shift()) {
      for (;;) {
        const shown = nothingShown();
        try {
          await path.dataPlane.callFor(
            caller,
            { requestId: newId('req'), path: item.endpoint.path, query: new URLSearchParams(item.query), maxAgeMs: undefined, maxWaitMs: LONGEST_WAIT_MS, patient: true, priority: 'batch' },
            shown,
          );
          counting.calls++;
          charged += shown.credits;
          add(counting.told, caller.tenant.id, shown.credits);
          break;
        } catch (error) {
          const trouble = troubleOf(error);
          if (trouble.is !== 'wait') throw error;
          await sleep(trouble.ms * (1 + 0.1 * random()));
        }
      }
      job.left--;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return charged;
}

/** Somebody looks at comments, from eight to eight; who is refused comes again as Retry-After says, a few times. */
function askForComments(path: SimulatedPath, watcher: Watcher, random: () => number, counting: Counting): void {
  const caller: Caller = { ...callerOf(watcher), purpose: 'call' };
  const endpoint = tiklive.byPath.get('/post-comments/') as Endpoint;
  for (const creator of watcher.creators) {
    for (let n = 0; n < watcher.commentsEach; n++) {
      const url = `https://www.tiktok.com/@creator${creator}/video/${7_000_000_000_000 + Math.floor(random() * 1e9)}`;
      void ask(url, 0.5 * HOUR + 12 * HOUR * random());
    }
  }

  async function ask(url: string, afterMs: number): Promise<void> {
    await sleep(afterMs);
    for (let tries = 1; ; tries++) {
      const shown = nothingShown();
      try {
        const request = { requestId: newId('req'), path: endpoint.path, query: new URLSearchParams({ url }), maxAgeMs: undefined, maxWaitMs: 0 };
        await path.dataPlane.callFor(caller, request, shown);
        counting.calls++;
        return add(counting.told, caller.tenant.id, shown.credits);
      } catch (error) {
        const trouble = troubleOf(error);
        if (trouble.is !== 'wait') throw error;
        if (trouble.because === 'daily-quota') return void counting.refusedByCap++;
        if (tries === CLIENT_TRIES) return void counting.refusedOtherwise++;
        await sleep(trouble.ms);
      }
    }
  }
}

/** A dashboard at 07:30: every profile that was fetched in the night is read from the snapshots. */
function readAgain(path: SimulatedPath, all: readonly Watcher[], captured: ReadonlyMap<string, number>, now: number) {
  const credits = () => [...path.ledger.values()].reduce((sum, entry) => sum + entry.credits, 0);
  const before = credits();
  let [secondReads, secondReadsFree] = [0, 0];
  for (const { tenant, creators } of all) {
    for (const creator of creators) {
      secondReads++;
      const at = captured.get(`${tenant.id}/userinfo-by-username?username=creator${creator}`);
      if (at !== undefined && at + FRESH_MS > now) secondReadsFree++;
    }
  }
  return { secondReads, secondReadsFree, secondReadCredits: credits() - before };
}

function summary(path: SimulatedPath, all: readonly Watcher[], { calls, refusedByCap, refusedOtherwise, told, charged, settled }: Counting) {
  const names = new Set([...path.ledger.keys(), ...settled.keys()]);
  const keysOffBy = [...names].reduce((sum, key) => sum + Math.abs((path.ledger.get(key)?.credits ?? 0) - (settled.get(key) ?? 0)), 0);
  const tenantsOffBy = all.reduce((sum, { tenant: { id } }) => sum + Math.abs((told.get(id) ?? 0) - (charged.get(id) ?? 0)), 0);
  const trialCredits = all.filter(({ tenant }) => tenant.keyMode === 'shared').map(({ tenant }) => charged.get(tenant.id) ?? 0);
  return { calls, refusedByCap, refusedOtherwise, keysOffBy, tenantsOffBy, trialCredits, platformCredits: trialCredits.reduce((sum, credits) => sum + credits, 0) };
}

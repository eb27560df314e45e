import { readFileSync } from 'node:fs';
import { sleep } from '@weir/kernel';
import { invariant, type Invariant, type Outcome, type Scenario } from '../scenario';
import { until } from '../trial-to-own-key/operator';
import { startWhole, type Caller, type Whole } from '../whole';
import { crowd, type Answered } from './callers';

const PROCESSES = 2;
/** How long the upstream takes for the one thing: longer than all callers need to come. */
const HELD_MS = 20_000;
const SECRET = 'chaos-of-the-crowd';
/** What who comes while it is on its way pays, by the plan. */
const PRICES = { 'chaos-free': 0, 'chaos-dear': 1 };

/** Callers of one thing, over fetchers that are processes of their own; then the same while the one that fetches it is killed. */
export const coalescing: Scenario = {
  name: 'coalescing',
  title: `F8 callers of one thing, over ${PROCESSES} processes of the fetcher, make one upstream call; and no more than one again when the process that makes it is killed; so many callers`,
  times: 10_000,
  async run({ times, directory, progress }) {
    const whole = await startWhole({
      directory,
      environment: { WEIR_UPSTREAM_TIMEOUT_MS: '120000', WEIR_HOLD_TIMEOUT_MS: '20000', WEIR_SIMULATOR_LATENCY_P50_MS: '50' },
      replicas: { 'upstream-fetcher': PROCESSES },
      progress,
    });
    try {
      await whole.key(SECRET, { perMinute: 1e6, burst: 1e5 });
      for (const [id, coalescedPrice] of Object.entries(PRICES)) await whole.plan(id, { coalescedPrice });
      const tenants = await Promise.all(Object.keys(PRICES).flatMap((plan) => [1, 2].map((n) => whole.tenant(`${plan}-${n}`, plan))));
      progress(`${times} callers of one thing`);
      const together = await allAtOnce(whole, tenants, times);
      progress('the same while the one that fetches it is killed');
      const orphaned = await leaderKilled(whole, tenants, times);
      return { invariants: [...together.invariants, ...orphaned.invariants], figures: { callers: times, processes: PROCESSES, ...together.figures, ...orphaned.figures } };
    } finally {
      await whole.stop();
    }
  },
};

const holdOnce = (whole: Whole) => whole.simulator('POST', '/_simulator/faults', { kind: 'slow', ms: HELD_MS, endpoint: 'userid', times: 1 });
const fetchersOf = ({ weir }: Whole) => weir.services.get('upstream-fetcher') ?? [];

async function allAtOnce(whole: Whole, tenants: readonly Caller[], callers: number): Promise<Outcome> {
  await holdOnce(whole);
  const before = await whole.attempts(SECRET);
  const of = (n: number) => tenants[n % tenants.length] as Caller;
  const { sent, answers } = crowd(fetchersOf(whole).map(({ url }) => url), '/tiklive/userid/?username=everybody', callers, (n) => of(n).token);
  await sent;
  const peak = watchMemory(whole);
  const all = await answers;
  const attempts = (await whole.attempts(SECRET)) - before;
  const megabytes = peak();
  const late = all.filter(({ cache }) => cache === 'hit').length;
  const [first = 0, last = 0] = [Math.min(...all.map(({ atMs }) => atMs)), Math.max(...all.map(({ atMs }) => atMs))];
  const charged = await Promise.all(tenants.map((tenant) => chargedTo(whole, tenant, sum(all.filter((_, n) => of(n) === tenant)))));
  return {
    invariants: [
      invariant(`F8 ${callers} callers over ${PROCESSES} processes make one upstream call`, attempts === 1, `${attempts} attempts`),
      ...answeredAlike(`F8 ${callers} callers`, all),
      invariant('F8 one of them fetched it, and pays what a call costs', all.filter(({ cache }) => cache === 'miss').length === 1, byCache(all)),
      invariant('F8 all of them had come before it was there', late === 0, `${late} came later, and found it kept`),
      invariant('F8 each other pays what its plan says', all.every(({ cache, credits }, n) => cache !== 'coalesced' || credits === priceOf(of(n))), byCache(all)),
      ...charged.map(({ tenant, said, found }) => invariant(`F8 ${tenant} is charged what its answers said`, said === found, { said, found })),
    ],
    figures: { 'ms from the first answer to the last': Math.round(last - first), 'MB of the largest fetcher': megabytes },
  };
}

/** The process that was asked first makes the call, and dies amid it; half of the callers are its own, and lose their connections. */
async function leaderKilled(whole: Whole, tenants: readonly Caller[], callers: number): Promise<Outcome> {
  const [dying, living] = fetchersOf(whole);
  if (dying === undefined || living === undefined) throw new Error('two fetchers were started');
  await holdOnce(whole);
  const before = await whole.attempts(SECRET);
  const path = '/tiklive/userid/?username=orphans';
  const tokenOf = (n: number) => (tenants[n % tenants.length] as Caller).token;
  const leader = crowd([dying.url], path, 1, tokenOf);
  // its attempt is there: the fault has struck
  await until(async () => (await whole.simulator('GET', '/_simulator/faults')).data.length as number, (left) => left === 0);
  const [orphans, others] = [crowd([dying.url], path, callers / 2, tokenOf), crowd([living.url], path, callers / 2, tokenOf)];
  await Promise.all([orphans.sent, others.sent]);
  await sleep(500);
  const killedAt = performance.now();
  await dying.kill();
  const lost = (await Promise.all([leader.answers, orphans.answers])).flat().filter(({ status }) => status === 0).length;
  const all = await others.answers;
  const tookMs = performance.now() - killedAt;
  // as clients do whose connection broke
  const again = await crowd([living.url], path, lost, tokenOf).answers;
  const attempts = () => whole.attempts(SECRET).then((now) => now - before);
  // the upstream goes on with what the dead one asked for
  await until(attempts, (found) => found >= 2).catch(() => undefined);
  const found = await attempts();
  await whole.weir.startAgain();
  return {
    invariants: [
      invariant('F8 the process that fetches is killed: its callers lose their connections, and no one else does', lost === callers / 2 + 1, `${lost} lost`),
      ...answeredAlike('F8 those of the other process, and those who ask again', [...all, ...again]),
      invariant('F8 one of them fetches it instead: two upstream calls in all, with the one of the dead', found === 2, `${found} attempts`),
    ],
    figures: { 'ms from the kill until all others had it': Math.round(tookMs) },
  };
}

function answeredAlike(who: string, all: readonly Answered[]): Invariant[] {
  const different = new Set(all.map(({ status, body }) => `${status} ${body}`));
  const statuses = Object.fromEntries([...new Set(all.map(({ status }) => status))].map((status) => [status, all.filter((one) => one.status === status).length]));
  return [invariant(`${who}: each is answered, with the same`, different.size === 1 && all[0]?.status === 200, { statuses, first: [...different].slice(0, 3).map((text) => text.slice(0, 200)) })];
}

const sum = (answers: readonly Answered[]): number => answers.reduce((total, { credits }) => total + credits, 0);
const byCache = (all: readonly Answered[]) => Object.fromEntries(['miss', 'coalesced', 'hit', 'stale', ''].map((how) => [how, all.filter(({ cache }) => cache === how).length]));
const priceOf = ({ slug }: Caller): number => (slug.startsWith('chaos-dear') ? PRICES['chaos-dear'] : PRICES['chaos-free']);

/** Metering is a moment behind. */
async function chargedTo({ operator }: Whole, { id, slug }: Caller, said: number): Promise<{ tenant: string; said: number; found: number }> {
  const ask = async () => (await operator('GET', `/v1/tenants/${id}/usage`)).totals.chargedCredits as number;
  await until(ask, (found) => found >= said).catch(() => undefined);
  return { tenant: slug, said, found: await ask() };
}

/** @returns MB that the largest of the fetchers took at most */
function watchMemory(whole: Whole): () => number {
  let most = 0;
  const look = () => {
    for (const { pid } of fetchersOf(whole)) if (pid !== undefined) most = Math.max(most, Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024);
  };
  const timer = setInterval(look, 200);
  look();
  return () => {
    clearInterval(timer);
    return Math.round(most);
  };
}

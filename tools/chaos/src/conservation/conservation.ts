import { mintToken } from '@weir/access';
import { sleep } from '@weir/kernel';
import { startDistributed, type Distributed, type ServiceProcess } from '@weir/stack';
import { SERVICES, schemaOf } from '@weir/tenancy';
import { Client } from 'pg';
import { invariant, type Outcome, type Scenario } from '../scenario';
import { operatorOf, until, type Operator } from '../trial-to-own-key/operator';
import { patiently, startBreakable, type Victim } from './breakable';
import { allHold, inWords, keyHolds, readBooks, tenantHolds, type Books } from './equations';
import { callForTheLastCredit } from './last-credit';
import { startLoad } from './load';
import { makeTenants, type Caller, type Callers } from './tenants';

export interface Conserving {
  readonly directory: string;
  readonly random: () => number;
  /** Kills, of the services, Kafka, Redis and Postgres in turn. */
  readonly kills: number;
  readonly tenantsOfEachMode: number;
  /** Several at a time instead of one after the other; and all calls are not waited for to be compared with the upstream's account one by one. */
  readonly hasty: boolean;
  readonly progress: (line: string) => void;
}

/** How long the books may take to be right once everything runs again. */
const SETTLED_WITHIN_MS = 90_000;
const LONGEST_DOWN_MS = 700;
const BETWEEN_MS = 300;

/** Holds are given up and decided within seconds, so that the end need not be waited for. */
const SOON = {
  WEIR_UNSETTLED_AFTER_MS: '4000',
  WEIR_UNSETTLED_EVERY_MS: '250',
  WEIR_RECONCILE_EVERY_MS: '250',
  // longer than usage can be behind here
  WEIR_RECONCILE_AFTER_MS: '20000',
  WEIR_SIMULATOR_LATENCY_P50_MS: '15',
  WEIR_DEMO: 'off',
};

/** Load of every key mode on the whole of Weir while everything in it is killed in turn; then both equations, per tenant and per key. */
export const conservation: Scenario = {
  name: 'conservation',
  title: 'M2 load on all key modes while each service, Kafka, Redis and Postgres are killed in turn; ends in both equations; so many kills',
  times: 20,
  run: ({ times, random, directory, progress }) => conserve({ directory, random, kills: times, tenantsOfEachMode: 2, hasty: false, progress }),
};

export async function conserve({ directory, random, kills, tenantsOfEachMode, hasty, progress }: Conserving): Promise<Outcome> {
  const environment = { ...process.env, ...SOON };
  const breakable = await startBreakable(directory, environment, progress);
  const operatorToken = mintToken({ mode: 'live' }).token;
  const weir = await startDistributed({ parts: breakable.parts, dataDir: directory, environment, operatorToken, progress }).catch(async (error: Error) => {
    await breakable.stop();
    throw error;
  });
  try {
    const operator = operatorOf(weir.url, operatorToken);
    const callers = await makeTenants(weir, operatorToken, tenantsOfEachMode);
    const services = SERVICES.map((name) => serviceVictim(weir.service(name)));
    const all = [...services, ...breakable.victims];
    const lanes = hasty ? [services.slice(0, 3), services.slice(3), breakable.victims] : [all];
    const killing = async (lane: readonly Victim[]) => {
      for (let kill = 0; kill < Math.round((kills * lane.length) / all.length); kill++) await strike(lane[kill % lane.length] as Victim, random, progress);
    };
    const load = startLoad(weir.url, callers.tenants, random);
    const struck = await Promise.allSettled(lanes.map(killing));
    const { statuses, credits } = await load.end();
    for (const one of struck) if (one.status === 'rejected') throw one.reason;
    const ended = Date.now();
    // nothing that lived without what was killed should have ended; who supervises a deployment would start it again
    await weir.startAgain();
    progress(`answers by status: ${JSON.stringify(Object.fromEntries(statuses))}`);

    if (!hasty) await until(() => operator('GET', '/v1/reconciliations?limit=1'), ({ data }) => Date.parse(data[0]?.to ?? '') > ended);
    const books = await settledBooks(weir, operator, callers);
    progress(inWords(books));
    const lastCredit = await callForTheLastCredit(weir, operator, callers.tenants[0] as Caller);
    const answered = [...credits.values()].reduce((sum, one) => sum + one, 0);
    const charged = books.tenants.reduce((sum, { usage }) => sum + usage, 0);
    return {
      invariants: [
        invariant('M2 per key, the upstream’s ledger = settled + unsettled', books.keys.every(keyHolds), books.keys.filter((one) => !keyHolds(one))),
        invariant('M2 per tenant, charged = usage = rollup = quota = invoiced quantity', books.tenants.every(tenantHolds), books.tenants.filter((one) => !tenantHolds(one))),
        invariant('every hold is decided', books.undecided === 0, `${books.undecided} are not`),
        invariant('nothing else differs from the upstream’s account', books.open === 0, `${books.open} differences`),
        lastCredit,
        invariant('calls were answered while things were killed', (statuses.get(200) ?? 0) > kills, Object.fromEntries(statuses)),
      ],
      figures: {
        kills,
        answers: statuses.get(200) ?? 0,
        'refused or cut off': [...statuses].reduce((sum, [status, count]) => (status === 200 ? sum : sum + count), 0),
        'credits of the upstream’s ledger': books.keys.reduce((sum, { upstreamLedger }) => sum + upstreamLedger, 0),
        'credits charged': charged,
        'holds decided as taken': books.taken,
        'holds decided as not taken': books.notTaken,
        'answered, their fetcher killed before it could say so: not charged': Math.max(0, answered - charged),
      },
    };
  } finally {
    await weir.stop();
    await breakable.stop();
  }
}

async function strike(victim: Victim, random: () => number, progress: (line: string) => void): Promise<void> {
  const begun = Date.now();
  await victim.kill();
  await sleep(random() * LONGEST_DOWN_MS);
  await victim.start();
  progress(`${victim.name} killed, back after ${Date.now() - begun} ms`);
  await sleep(BETWEEN_MS);
}

const serviceVictim = (process: ServiceProcess): Victim => ({ name: process.name, kill: () => process.kill(), start: () => patiently(() => process.start()) });

/** Reads the books until they are right, or the time for it is over: what is on its way is no difference. */
async function settledBooks(weir: Distributed, operator: Operator, callers: Callers): Promise<Books> {
  const deadline = Date.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const books = await readBooks(weir, operator, callers, (tenant) => countRecords(weir.databaseUrl, tenant)).catch((error: Error) => error);
    if (!(books instanceof Error) && (allHold(books) || Date.now() > deadline)) return books;
    if (books instanceof Error && Date.now() > deadline) throw books;
    await sleep(500);
  }
}

/** What the records of usage say was charged for live calls, the best of each attempt once. */
async function countRecords(databaseUrl: string, tenant: string): Promise<number> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ credits: number }>(
      `select coalesce(sum(charged_credits), 0)::float8 as credits from (
         select charged_credits from "${schemaOf(tenant as never)}".usage_events where kind = 'served' and mode = 'live'
         union all
         select * from (select distinct on (request_id, attempt) charged_credits from "${schemaOf(tenant as never)}".usage_events
                        where kind = 'settled' and mode = 'live' order by request_id, attempt, recorded_at, event_id) settled) charged`,
    );
    return rows[0]?.credits ?? 0;
  } finally {
    await client.end();
  }
}

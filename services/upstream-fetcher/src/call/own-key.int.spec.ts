import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, sleep } from '@weir/kernel';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type CallAnswer, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

const CALLS = 400;
/** As a steady load of 500 calls a second comes. */
const EVERY_MS = 2;

let user = 0;
/** Nobody has asked for this one yet. */
const someone = () => `/userid/?username=user_${++user}`;

let database: TestDatabase;
let simulator: Simulator;
let fetcher: RunningFetcher;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-fetcher-'));

function known(key: string): string {
  simulator.keys.set({ key, credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
  return key;
}

beforeAll(async () => {
  [database, simulator] = await Promise.all([freshDatabase(), startSimulator({ latencyP50Ms: 20 })]);
  fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
  const platform = await fetcher.newKey(known('platform-secret'));
  await fetcher.setCeiling({ keyId: platform.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
}, 60_000);
afterAll(async () => {
  await fetcher.stop();
  await simulator.close();
  await database.drop();
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

/** The tenant's own, at a rate that is not what this is about. */
async function ownKey(tenant: SpecTenant): Promise<void> {
  const id = newId('key');
  await fetcher.setCeiling({ keyId: id, perMinute: 1e6, burst: 1e5, concurrency: 0 });
  await fetcher.newKey(known(`own-${tenant.id}`), { id, owner: tenant.id });
}

/** Calls at a steady rate, while in the middle of them something happens. */
async function under(tenant: SpecTenant, happens: () => Promise<unknown>): Promise<CallAnswer[]> {
  const calls: Promise<CallAnswer>[] = [];
  let happening: Promise<unknown> | undefined;
  for (let n = 0; n < CALLS; n++) {
    calls.push(tenant.call(someone()));
    if (n === CALLS / 4) happening = happens();
    await sleep(EVERY_MS);
  }
  await happening;
  return Promise.all(calls);
}

/** Of every request: by whose key each of its records says it was called and billed. */
async function billed(tenant: SpecTenant): Promise<Map<string, Set<string>>> {
  const owners = new Map<string, Set<string>>();
  for (const record of await fetcher.usageOf(tenant)) owners.set(record.requestId, (owners.get(record.requestId) ?? new Set()).add(`${record.keyOwner}/${record.keyMode}`));
  return owners;
}

const keysOf = (answers: readonly CallAnswer[]) => answers.map(({ headers }) => headers.get('weir-key'));

/** Each call under one mode, the one that its answer says; none failed; own from the switch on. */
async function expectOneModeEach(tenant: SpecTenant, answers: readonly CallAnswer[]): Promise<void> {
  expect([...new Set(answers.map(({ status }) => status))]).toEqual([200]);
  expect(new Set(keysOf(answers))).toEqual(new Set(['platform', 'own']));
  await eventually(async () => expect((await fetcher.usageOf(tenant)).filter(({ kind }) => kind === 'settled')).toHaveLength(CALLS));
  const owners = await billed(tenant);
  for (const { headers } of answers) {
    const said = [...(owners.get(headers.get('weir-request-id') ?? '') ?? [])];
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(new RegExp(`^${headers.get('weir-key')}/`));
  }
  // what the upstream took of each key is what was settled for it
  const settled = (await fetcher.usageOf(tenant)).filter(({ kind }) => kind === 'settled');
  const ownTaken = settled.filter(({ keyOwner }) => keyOwner === 'own').reduce((sum, { upstreamCredits }) => sum + upstreamCredits, 0);
  const ledger = simulator.ledger.page({ key: `own-${tenant.id}`, limit: 10_000 }).data;
  expect(ledger.reduce((sum, { credits }) => sum + credits, 0)).toBe(ownTaken);
}

it('R11 a trial whose own key becomes active under load: each call is billed under one mode, none fails', async () => {
  const tenant = await fetcher.newTenant({ state: { keyMode: 'hybrid', trialEndsAt: Date.now() + 86_400_000 } });
  const answers = await under(tenant, () => ownKey(tenant));
  await expectOneModeEach(tenant, answers);
  // in one go: no call goes back to the platform's key once one has been made with the own
  expect(keysOf([await tenant.call(someone())])).toEqual(['own']);
}, 20_000);

it("R11 a trial whose plan's change takes it to its own key under load: each call is billed under one mode, none fails", async () => {
  const tenant = await fetcher.newTenant({ state: { keyMode: 'shared', trialEndsAt: Date.now() + 86_400_000 } });
  await ownKey(tenant);
  const answers = await under(tenant, () => tenant.change({ keyMode: 'byo', trialEndsAt: null }));
  await expectOneModeEach(tenant, answers);
}, 20_000);

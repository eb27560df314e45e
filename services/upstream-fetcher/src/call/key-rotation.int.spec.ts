import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

const IN_FLIGHT = 200;
const LATER = 20;

let database: TestDatabase;
let simulator: Simulator;
let fetcher: RunningFetcher;
let upstream: Server;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-fetcher-'));

/** Upstream keys in the order in which calls came with them. */
const came: string[] = [];
/** Calls that have reached the upstream and wait for its answer; undefined: none has to. */
let held: (() => void)[] | undefined;

beforeAll(async () => {
  [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
  upstream = createServer(async ({ url, headers }, response) => {
    const key = String(headers['x-api-key']);
    came.push(key);
    if (held !== undefined) await new Promise<void>((resolve) => held?.push(resolve));
    const answer = await fetch(`${simulator.url}${url}`, { headers: { 'x-api-key': key } });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const { port } = upstream.address() as AddressInfo;
  fetcher = await startFetcher({ database, dataDir, upstreamUrl: `http://127.0.0.1:${port}`, environment: { WEIR_UPSTREAM_TIMEOUT_MS: '60000' } });
}, 60_000);
afterAll(async () => {
  await fetcher.stop();
  await new Promise((resolve) => upstream.close(resolve));
  await simulator.close();
  await database.drop();
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

const register = (key: string, suspended = false) => simulator.keys.set({ key, credits: null, perMinute: null, burst: 1, scopes: [], suspended });

let user = 0;
const calls = (tenant: SpecTenant, count: number) => Array.from({ length: count }, () => tenant.call(`/userid/?username=user_${++user}`));
const statuses = async (answers: readonly Promise<{ status: number }>[]) => new Set((await Promise.all(answers)).map(({ status }) => status));

it('V5 a key rotated with 200 calls in flight: those end on the version they left with, later ones leave with the new, none meets a 401', async () => {
  register('old-secret');
  register('new-secret');
  const tenant = await fetcher.newTenant({ state: { keyMode: 'byo' } });
  const key = await fetcher.newKey('old-secret', { owner: tenant.id });
  await fetcher.setCeiling({ keyId: key.id, perMinute: 1e6, burst: 1e5, concurrency: 0 });

  held = [];
  const before = calls(tenant, IN_FLIGHT);
  await eventually(() => expect(held).toHaveLength(IN_FLIGHT), 15_000);
  const rotated = await fetcher.rotateKey(key, 'new-secret');
  const after = calls(tenant, LATER);
  await eventually(() => expect(held).toHaveLength(IN_FLIGHT + LATER), 15_000);
  const waiting = held;
  held = undefined;
  for (const answer of waiting) answer();
  expect(await statuses([...before, ...after])).toEqual(new Set([200]));
  expect(came).toEqual([...Array<string>(IN_FLIGHT).fill('old-secret'), ...Array<string>(LATER).fill('new-secret')]);

  // each is on the account of the version that it left with
  await eventually(async () => {
    const settled = (await fetcher.usageOf(tenant)).filter(({ kind }) => kind === 'settled');
    const of = (version: number) => settled.filter((one) => 'keyVersion' in one && one.keyVersion === version).length;
    expect([of(1), of(2)]).toEqual([IN_FLIGHT, LATER]);
  });

  // its drain is over: the old version is destroyed here and revoked there, and nobody misses it
  register('old-secret', true);
  await fetcher.changeKey(rotated, { versions: rotated.versions.filter(({ state }) => state === 'active') });
  expect(await statuses(calls(tenant, LATER))).toEqual(new Set([200]));
}, 30_000);

import { kafkaBus, postgresBus, type Bus } from '@weir/bus';
import { TOPICS, apiTokenState, tenantState } from '@weir/contracts';
import { newId, systemClock, type ProjectId } from '@weir/kernel';
import { eventually, freshDatabase, freshPrefix, servers, type TestDatabase } from '@weir/testing';
import { Pool } from 'pg';
import { Access, StateReader, mintToken } from './index';

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await freshDatabase();
  pool = new Pool({ connectionString: database.urlOf('tenant-registry'), max: 10 });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const buses: readonly (readonly [name: string, opener: () => () => Bus])[] = [
  ['Kafka', () => ((prefix) => () => kafkaBus({ brokers: servers().kafkaBrokers.split(','), clientId: 'spec', prefix }))(freshPrefix())],
  ['Postgres', () => () => postgresBus({ pool, directUrl: database.urlOf('tenant-registry') })],
];
const TABLES = [apiTokenState.topic, tenantState.topic];
const tenant = newId('ten');
const project = newId('prj') as ProjectId;
const minted = mintToken({ mode: 'live', nowMs: Date.now() - 60_000 });

const token = (version: number, open: boolean) => ({
  topic: apiTokenState.topic,
  key: minted.id,
  value: open ? Buffer.from(JSON.stringify({ id: minted.id, tenantId: tenant, projectId: project, mode: minted.mode, role: 'member', secretHash: minted.secretHash, expiresAt: null })) : null,
  headers: { 'weir-version': String(version) },
});
const status = (version: number, is: 'active' | 'suspended') => ({
  topic: tenantState.topic,
  key: tenant,
  value: Buffer.from(JSON.stringify({ id: tenant, slug: 'a', status: is, keyMode: 'shared', plan: { id: 'free', version: 1 }, trialEndsAt: null, defaultProject: project, placement: 'schema', version, registeredAt: 0 })),
  headers: { 'weir-version': String(version) },
});

/** A process's tables, and what they said of token and tenant from the beginning. */
async function reader(bus: Bus) {
  const states = new StateReader({ bus, clock: systemClock, onError: () => undefined });
  const access = new Access(states, systemClock, undefined);
  const said: string[] = [];
  states.table(apiTokenState).onChange((_, value) => said.push(value === undefined ? 'revoked' : 'open'));
  states.table(tenantState).onChange((_, value) => said.push(value?.status ?? 'gone'));
  const started = states.start();
  const lets = () => {
    try {
      access.authenticate(`Bearer ${minted.token}`);
      return 'in';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  return { states, access, said, started, lets, status: () => access.tenants.get(tenant)?.status };
}

it.each(buses)('E14 over %s a re-emission opens neither a revoked token nor a suspended tenant, not for a moment, to a reader that was there, one that starts amid it, and one that starts after it', async (_, opener) => {
  const open = opener();
  const [publisher, ...others] = [open(), open(), open(), open()];
  await publisher?.ensureTopics(TOPICS.filter(({ name }) => TABLES.includes(name)));
  const there = await reader(others[0] as Bus);
  await there.started;
  await publisher?.publish([token(1, true), status(1, 'active')]);
  await eventually(() => expect([there.lets(), there.status()]).toEqual(['in', 'active']));
  await publisher?.publish([token(2, false), status(2, 'suspended')]);
  await eventually(() => expect([there.lets(), there.status()]).toEqual(['unauthenticated', 'suspended']));
  const before = there.said.length;

  // what a relay that lost its lease had still on its way, and what is in force behind it; again and again, as someone begins to read
  let emitting = true;
  const emission = (async () => {
    while (emitting) await publisher?.publish([token(1, true), status(1, 'active'), token(2, false), status(2, 'suspended')]);
  })();
  const amid = await reader(others[1] as Bus);
  const answers = new Set<string>();
  const watching = (async () => {
    while (emitting) {
      answers.add(amid.lets());
      await new Promise((soon) => setImmediate(soon));
    }
  })();
  await amid.started;
  await amid.states.caughtUp();
  expect([amid.lets(), amid.status()]).toEqual(['unauthenticated', 'suspended']);
  emitting = false;
  await Promise.all([emission, watching]);
  // until it had read everything nobody was let in on its word
  expect([...answers].filter((answer) => answer === 'in')).toEqual([]);

  const after = await reader(others[2] as Bus);
  await after.started;
  await after.states.caughtUp();
  for (const one of [there, amid, after]) {
    await one.states.caughtUp();
    expect([one.lets(), one.status()]).toEqual(['unauthenticated', 'suspended']);
  }
  expect(there.said.slice(before)).toEqual([]);
  await Promise.all([there, amid, after].map(({ states }) => states.stop()));
  await Promise.all([publisher, ...others].map((bus) => bus?.close()));
}, 30_000);

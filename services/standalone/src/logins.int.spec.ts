import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { definition as auditLedger } from '@weir/audit-ledger';
import { definition as keyVault } from '@weir/key-vault';
import { definition as metering } from '@weir/metering';
import { definition as rateLimiter } from '@weir/rate-limiter';
import type { Host, ServiceDefinition } from '@weir/service-host';
import { SERVICES } from '@weir/tenancy';
import { definition as tenantRegistry } from '@weir/tenant-registry';
import { freshDatabase, startTestService, type TestDatabase } from '@weir/testing';
import { definition as upstreamFetcher } from '@weir/upstream-fetcher';
import { Client } from 'pg';

type Start = (environment: Readonly<Record<string, string>>) => Promise<Host>;

const dataDir = mkdtempSync(join(tmpdir(), 'weir-logins-'));
let database: TestDatabase;
let admin: Client;

/** As its main.ts starts it. */
const starts =
  <C>(definition: ServiceDefinition<C>): Start =>
  (environment) =>
    startTestService(definition, { database, environment: { WEIR_DATA_DIR: dataDir, WEIR_KEY_ENCRYPTION: 'local', WEIR_LIMITER: 'memory', ...environment } });

const services: readonly (readonly [name: string, start: Start])[] = [
  ['tenant-registry', starts(tenantRegistry)],
  ['key-vault', starts(keyVault)],
  ['rate-limiter', starts(rateLimiter)],
  ['upstream-fetcher', starts(upstreamFetcher)],
  ['metering', starts(metering)],
  ['audit-ledger', starts(auditLedger)],
];

/** Roles belong to the server, which other specs share: their names are this spec's own, and they go with it. */
const roles = { bypassing: `weir_spec_bypassing_${process.pid}`, owning: `weir_spec_owning_${process.pid}`, becoming: `weir_spec_becoming_${process.pid}` };
const asRole = (role: string) => Object.assign(new URL(database.adminUrl), { username: role, password: 'spec' }).href;

beforeAll(async () => {
  database = await freshDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  await admin.query(`create role ${roles.bypassing} login bypassrls password 'spec'; create role ${roles.owning} login password 'spec'; create role ${roles.becoming} login noinherit password 'spec'`);
  await admin.query(`grant weir_service to ${roles.bypassing}, ${roles.owning}, ${roles.becoming}; grant ${roles.owning} to ${roles.becoming}; create schema authorization ${roles.owning}`);
});
afterAll(async () => {
  await admin.query(`drop schema ${roles.owning}; drop owned by ${Object.values(roles).join()}; drop role ${Object.values(roles).join()}`);
  await admin.end();
  await database.drop();
  rmSync(dataDir, { recursive: true, force: true });
});

it('R4 is about every service', () => {
  expect(services.map(([name]) => name).sort()).toEqual([...SERVICES].sort());
});

describe.each(services)('R4 %s', (_, start) => {
  it.each([
    ['a superuser', /is a superuser/, () => database.adminUrl],
    ['the owner of the tables', /owns tables/, () => database.migratorUrl],
    ['the owner of as much as an empty schema', /owns tables/, () => asRole(roles.owning)],
    ['one that may become an owner', /may become weir_spec_owning_\d+, which owns tables/, () => asRole(roles.becoming)],
    ['a login with BYPASSRLS', /has BYPASSRLS/, () => asRole(roles.bypassing)],
  ])('does not start as %s', async (_what, because, url) => {
    const starting = start({ WEIR_POSTGRES_URL: url(), WEIR_POSTGRES_DIRECT_URL: url() });
    await expect(starting).rejects.toMatchObject({ code: 'privileged-login', message: expect.stringMatching(because) });
  });

  it('starts with its own login', async () => {
    const host = await start({});
    expect((await fetch(`${host.managementUrl}/readyz`)).status).toBe(200);
    await host.stop();
  });
});

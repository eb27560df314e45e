import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mintToken } from '@weir/access';
import { definition as auditLedger } from '@weir/audit-ledger';
import { kafkaBus } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { definition as keyVault } from '@weir/key-vault';
import { definition as metering } from '@weir/metering';
import { definition as rateLimiter } from '@weir/rate-limiter';
import type { Host, ServiceDefinition } from '@weir/service-host';
import { startKafkaCluster, startPostgres, type KafkaCluster, type RunningPostgres } from '@weir/stack';
import { MIGRATOR, collectBundle, ensureDatabase, loginOf, prepareDatabase, type ServiceName } from '@weir/tenancy';
import { definition as tenantRegistry } from '@weir/tenant-registry';
import { LOGIN_PASSWORD, client, eventually, startTestService, type Client, type TestDatabase } from '@weir/testing';
import { definition as upstreamFetcher } from '@weir/upstream-fetcher';

const operator = mintToken({ mode: 'live' }).token;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-outages-'));
const postgresOptions = { dataDir: join(dataDir, 'postgres'), settings: { fsync: 'off', max_connections: 200 } };
/** What a tenant's own token may ask of each. */
const ROUTES: Readonly<Record<ServiceName, string>> = {
  'tenant-registry': '',
  'key-vault': '/upstream-keys',
  'rate-limiter': '/limits',
  'upstream-fetcher': '/fetch-jobs',
  metering: '/usage',
  'audit-ledger': '/events',
};

let kafka: KafkaCluster;
let postgres: RunningPostgres;
const hosts = new Map<ServiceName, Host>();
let tenant: { id: string; tokenId: string; asks: (service: ServiceName) => Client };

function databaseAt(adminUrl: string): TestDatabase {
  const as = (login: string) => Object.assign(new URL(adminUrl), { username: login, password: LOGIN_PASSWORD }).href;
  return { name: 'weir', adminUrl, migratorUrl: as(MIGRATOR), urlOf: (service) => as(loginOf(service)), drop: async () => undefined };
}

beforeAll(async () => {
  [kafka, postgres] = await Promise.all([startKafkaCluster({ brokers: 1, dataDir: join(dataDir, 'kafka'), environment: process.env }), startPostgres(postgresOptions)]);
  const database = databaseAt(await ensureDatabase(postgres.adminUrl, 'weir'));
  await prepareDatabase(database.adminUrl, collectBundle(), LOGIN_PASSWORD);
  const bus = kafkaBus({ brokers: [kafka.brokers], clientId: 'spec' });
  await bus.ensureTopics(TOPICS);
  await bus.close();

  const environment = {
    WEIR_BUS: 'kafka',
    WEIR_KAFKA_BROKERS: kafka.brokers,
    WEIR_OPERATOR_TOKEN: operator,
    WEIR_STALE_AFTER_MS: '3000',
    WEIR_LIMITER: 'memory',
    WEIR_KEY_ENCRYPTION: 'local',
    WEIR_DATA_DIR: dataDir,
  };
  const start = async <C>(definition: ServiceDefinition<C>) => void hosts.set(definition.name, await startTestService(definition, { database, environment }));
  await Promise.all([start(tenantRegistry), start(keyVault), start(rateLimiter), start(metering), start(auditLedger), start(upstreamFetcher)]);

  const registry = client(urlOf('tenant-registry'), operator);
  const made = await registry('POST', '/v1/tenants', { slug: 'lasting', plan: 'pro' }, { prefer: 'wait=20' });
  const { body } = await registry('POST', `/v1/tenants/${made.body.tenantId}/tokens`, { role: 'owner' });
  tenant = { id: made.body.tenantId, tokenId: body.id, asks: (service) => client(urlOf(service), body.token) };
}, 120_000);
afterAll(async () => {
  await Promise.all([...hosts.values()].map((host) => host.stop()));
  await Promise.all([kafka.stop(), postgres.stop()]);
  rmSync(dataDir, { recursive: true, force: true });
}, 60_000);

const services = Object.keys(ROUTES) as ServiceName[];
const urlOf = (service: ServiceName) => hosts.get(service)?.url ?? '';
const ask = (service: ServiceName) => tenant.asks(service)('GET', `/v1/tenants/${tenant.id}${ROUTES[service]}`);

interface Readiness {
  readonly status: number;
  readonly checks: Readonly<Record<string, { readonly state: string; readonly detail?: string }>>;
}
async function readiness(service: ServiceName): Promise<Readiness> {
  const response = await fetch(`${hosts.get(service)?.managementUrl}/readyz`);
  return { status: response.status, checks: ((await response.json()) as Readiness).checks };
}

/** Every check of every service, and a call to each. */
async function allIsWell(): Promise<void> {
  for (const service of services) {
    const { status, checks } = await readiness(service);
    expect({ service, status, not: Object.entries(checks).filter(([, { state }]) => state !== 'ok') }).toEqual({ service, status: 200, not: [] });
    expect({ service, status: (await ask(service)).status }).toEqual({ service, status: 200 });
  }
}

describe('a service', () => {
  it('E14 whose broker goes away answers 503 stale-state past the bound, says that it is degraded, stays in the edge’s sight, and recovers by itself when it is back', async () => {
    await eventually(allIsWell, 20_000);
    await kafka.kill(1);
    await eventually(async () => {
      for (const service of services) {
        const { status, checks } = await readiness(service);
        expect({ service, status, bus: checks['bus']?.state, states: checks['states'] }).toMatchObject({ service, status: 200, bus: 'degraded', states: { state: 'degraded', detail: expect.stringContaining('stale') } });
        const answer = await ask(service);
        expect({ service, status: answer.status, code: answer.body.code, retryAfter: answer.headers.get('retry-after') }).toEqual({ service, status: 503, code: 'stale-state', retryAfter: '1' });
      }
    }, 30_000);
    await kafka.start(1);
    await eventually(allIsWell, 60_000);
  }, 120_000);

  it('E14 whose database is killed says so and recovers by itself when it is back; the fetcher, whose calls do not need it, stays in sight', async () => {
    process.kill(postgres.pid, 'SIGKILL');
    await eventually(async () => {
      for (const service of services) {
        const { status, checks } = await readiness(service);
        const expected = service === 'upstream-fetcher' ? { status: 200, state: 'degraded' } : { status: 503, state: 'failed' };
        expect({ service, status, state: checks[`database ${service}`]?.state }).toEqual({ service, ...expected });
      }
    }, 20_000);
    const { port } = postgres;
    await postgres.stop();
    postgres = await startPostgres({ ...postgresOptions, port });
    await eventually(allIsWell, 60_000);
    // and a decision goes the whole way: log, relay, broker, the table of each
    expect((await client(urlOf('tenant-registry'), operator)('DELETE', `/v1/tenants/${tenant.id}/tokens/${tenant.tokenId}`)).status).toBe(204);
    await eventually(async () => {
      for (const service of services) expect({ service, status: (await ask(service)).status }).toEqual({ service, status: 401 });
    }, 20_000);
  }, 120_000);

  it('E13 that is told to stop while the broker is gone ends within the grace that an orchestrator gives', async () => {
    await kafka.kill(1);
    const took = await Promise.all(
      [...hosts].map(async ([service, host]) => {
        const begun = performance.now();
        await host.stop();
        hosts.delete(service);
        return { service, seconds: (performance.now() - begun) / 1_000 };
      }),
    );
    expect(took.filter(({ seconds }) => seconds > 25)).toEqual([]);
  }, 60_000);
});

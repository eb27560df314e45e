import { mintToken } from '@weir/access';
import type { Bus, BusRecord } from '@weir/bus';
import { apiTokenState, tenantState, type ApiTokenState, type TenantState } from '@weir/contracts';
import { startRelay } from '@weir/relay';
import { newId, type TenantId } from '@weir/kernel';
import {
  commonSettings,
  createLogger,
  createProcess,
  createRuntime,
  openBus,
  openPool,
  parseSettings,
  startHost,
} from '@weir/service-host';
import { collectBundle, createPool, provisioner, unitOfWork, type ServiceName } from '@weir/tenancy';
import { definition } from '../index';
import { until } from './observations';

export interface VaultOptions {
  readonly database: { readonly migratorUrl: string; urlOf(service: ServiceName): string };
  readonly upstreamUrl: string;
  readonly dataDir: string;
  /** Further settings, as they would stand in the environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- whatever a service answers
  readonly text: string;
}

/** A vault as its own process runs it, on the Postgres bus, with a relay beside it: for specs. */
export interface RunningVault {
  readonly url: string;
  readonly managementUrl: string;
  readonly bus: Bus;
  /** Every line it has logged. */
  logged(): string;
  /** Every answer it has given to {@link request}, headers included. */
  answered(): string;
  /** As the operator, unless another token is given. */
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answered>;
  /** A tenant with its schema, and the token of its admin, known to the vault. */
  newTenant(): Promise<{ id: TenantId; token: string }>;
  /** All records of a topic until now. */
  records(topic: string): Promise<BusRecord[]>;
  stop(): Promise<void>;
}

export async function startVault({ database, upstreamUrl, dataDir, environment = {} }: VaultOptions): Promise<RunningVault> {
  const operator = mintToken({ mode: 'live' });
  const migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 2 });
  const config = parseSettings(
    { ...commonSettings, ...definition.settings },
    {
      WEIR_PORT: '0',
      WEIR_MANAGEMENT_PORT: '0',
      WEIR_BUS: 'postgres',
      WEIR_POSTGRES_URL: database.urlOf('key-vault'),
      WEIR_OPERATOR_TOKEN: operator.token,
      WEIR_DATA_DIR: dataDir,
      WEIR_UPSTREAM_URL: upstreamUrl,
      WEIR_KEY_ENCRYPTION: 'local',
      WEIR_KEY_JOBS_EVERY_MS: '50',
      WEIR_KEY_CONFIRM_AFTER_MS: '20',
      WEIR_LOG_LEVEL: 'debug',
      ...environment,
    },
  );

  const lines: string[] = [];
  const answers: string[] = [];
  const log = createLogger(config, 'key-vault', { write: (line: string) => void lines.push(line) });
  const pool = await openPool({ name: 'key-vault', common: config, log });
  const bus = openBus(config, 'key-vault', pool, log);
  const process = createProcess({ config, log, bus });
  const runtime = createRuntime(process, 'key-vault', config, pool);
  const parts = await definition.create(runtime, config);
  const host = await startHost({ ...config, title: 'spec', version: '0', process, services: [{ runtime, parts }] });
  const registry = createPool({ url: database.urlOf('tenant-registry'), name: 'spec/relay', max: 4 });
  const relay = startRelay({
    work: unitOfWork(registry, 'tenant-registry'),
    bus,
    onError: (error) => void lines.push(String(error)),
  });

  async function request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    const answer = await fetch(`${host.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${operator.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    answers.push(JSON.stringify([...answer.headers]), text);
    return { status: answer.status, headers: answer.headers, text, body: text === '' ? undefined : JSON.parse(text) };
  }

  return {
    url: host.url,
    managementUrl: host.managementUrl,
    bus,
    logged: () => lines.join(''),
    answered: () => answers.join('\n'),
    request,
    async newTenant() {
      const id = newId('ten');
      await provisioner(migrator, collectBundle()).provision(id, 'schema');
      const token = mintToken({ mode: 'live' });
      await bus.publish([
        stateRecordOf(tenantState.topic, id, tenantOf(id)),
        stateRecordOf(apiTokenState.topic, token.id, adminOf(id, token)),
      ]);
      await until(() => process.access.tokens.get(token.id) !== undefined && process.access.tenants.get(id) !== undefined);
      return { id, token: token.token };
    },
    async records(topic) {
      const found: BusRecord[] = [];
      const following = await bus.follow({ topics: [topic], apply: (record) => void found.push(record) });
      await following.caughtUp();
      await following.stop();
      return found;
    },
    async stop() {
      await relay.stop();
      await host.stop();
      await Promise.all([registry.end(), migrator.end()]);
    },
  };
}

const stateRecordOf = (topic: string, key: string, body: unknown) => ({
  topic,
  key,
  value: Buffer.from(JSON.stringify(body)),
  headers: { 'content-type': 'application/json', 'weir-version': '1' },
});

const tenantOf = (id: TenantId): TenantState => ({
  id,
  slug: id.slice(4),
  status: 'active',
  keyMode: 'byo',
  plan: { id: 'pro', version: 1 },
  trialEndsAt: null,
  defaultProject: newId('prj'),
  placement: 'schema',
  version: 1,
  registeredAt: Date.now(),
});

const adminOf = (tenantId: TenantId, token: ReturnType<typeof mintToken>): ApiTokenState => ({
  id: token.id,
  tenantId,
  projectId: newId('prj'),
  mode: 'live',
  role: 'admin',
  secretHash: token.secretHash,
  expiresAt: null,
});

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { mintToken } from '@weir/access';
import { kafkaBus, postgresBus, type Bus, type OutgoingRecord } from '@weir/bus';
import {
  TOPICS,
  apiTokenState,
  budgetState,
  keyCeilingState,
  limitPolicyState,
  planState,
  quotaState,
  tenantState,
  upstreamKeyState,
  usage,
  type BudgetUse,
  type Contract,
  type KeyCeilingState,
  type LimitOverride,
  type PlanState,
  type PlanTerms,
  type Role,
  type TenantState,
  type UpstreamKeyState,
  type Usage,
} from '@weir/contracts';
import { createEnvelope, localKeyEncryption, sealedKeyMembers, upstreamKeyContext, UPSTREAM_KEY_PURPOSE } from '@weir/envelope';
import { PLATFORM, newId, utcDay, utcMonth, type TenantId } from '@weir/kernel';
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
import { collectBundle, createPool, provisioner, type ServiceName } from '@weir/tenancy';
import type { z } from 'zod';
import { definition } from '../index';

export interface FetcherOptions {
  readonly database: { readonly migratorUrl: string; urlOf(service: ServiceName): string };
  readonly upstreamUrl: string;
  readonly dataDir: string;
  /** Further settings, as they would stand in the environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface CallAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- whatever the upstream answers
}

export interface SpecTenant {
  readonly id: TenantId;
  readonly token: string;
  readonly testToken: string;
  /** A call below /tiklive. */
  call(path: string, headers?: Record<string, string>): Promise<CallAnswer>;
  /** What the registry would publish when the tenant changes. */
  change(change: Partial<TenantState>): Promise<void>;
}

/** A fetcher as its own process runs it, on the Postgres bus; the other services' states are published as they would be. */
export interface RunningFetcher {
  readonly url: string;
  readonly managementUrl: string;
  newTenant(options?: {
    terms?: Partial<PlanTerms>;
    state?: Partial<TenantState>;
    role?: Role;
    quota?: boolean;
  }): Promise<SpecTenant>;
  /** A key with that secret, sealed as the vault seals it. */
  newKey(secret: string, options?: Partial<UpstreamKeyState>): Promise<UpstreamKeyState>;
  /** Its next version in its place, the one before draining; as the vault says it once the new one was taken. */
  rotateKey(key: UpstreamKeyState, secret: string): Promise<UpstreamKeyState>;
  removeKey(key: UpstreamKeyState): Promise<void>;
  changeKey(key: UpstreamKeyState, change: Partial<UpstreamKeyState>): Promise<void>;
  setCeiling(ceiling: Pick<KeyCeilingState, 'keyId' | 'perMinute' | 'burst' | 'concurrency'>): Promise<void>;
  /** What the rate-limiter would publish of a tenant. */
  setPolicy(tenant: SpecTenant, ...overrides: readonly Partial<LimitOverride>[]): Promise<void>;
  /** What metering would publish of its budgets. */
  setBudgets(tenant: SpecTenant, ...budgets: readonly Partial<BudgetUse>[]): Promise<void>;
  request(path: string, headers?: Record<string, string>): Promise<CallAnswer>;
  /** All records of a topic until now, parsed by its contract. */
  records<S extends z.ZodType>(contract: Contract<string, S>): Promise<z.infer<S>[]>;
  usageOf(tenant: SpecTenant): Promise<Usage[]>;
  /** Publishing of usage fails at once, or hangs, until it is 'up' again. */
  setBus(state: 'up' | 'failing' | 'hanging'): void;
  /** Its pool answers nothing any more; the bus goes on. */
  loseDatabase(): Promise<void>;
  /** As SIGTERM does; the bus can still be read. */
  stopService(): Promise<void>;
  stop(): Promise<void>;
}

const away = () => Promise.reject(Object.assign(new Error('the database is away'), { code: 'ECONNREFUSED' }));
const free = { amount: '0', currency: 'EUR' };
export const ROOMY: PlanTerms = {
  dailyCredits: 100_000,
  monthlyCredits: null,
  bucket: { capacity: 100_000, refillPerSecond: 1_000 },
  endpointBuckets: {},
  weight: 1,
  concurrency: 5_000,
  maxWaitMs: 0,
  hitPrice: 0,
  coalescedPrice: 0,
  sharedCache: true,
  keyModes: ['shared', 'byo', 'hybrid'],
  fallback: false,
  trialDays: null,
  includedCalls: 0,
  seats: null,
  placement: 'schema',
  billing: { model: 'usage', perCredit: free, perSeat: free, perMonth: free },
};

export async function startFetcher({
  database,
  upstreamUrl,
  dataDir,
  environment = {},
}: FetcherOptions): Promise<RunningFetcher> {
  const migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 2 });
  const brokers = environment['WEIR_KAFKA_BROKERS'];
  const specBus: Bus =
    brokers === undefined
      ? postgresBus({ pool: migrator, directUrl: database.migratorUrl })
      : kafkaBus({ brokers: brokers.split(','), clientId: 'spec', prefix: environment['WEIR_TOPIC_PREFIX'] ?? '' });
  await specBus.ensureTopics(TOPICS);
  const provision = provisioner(migrator, collectBundle());
  const keyFile = join(dataDir, 'key-encryption.key');
  const keyEncryption = localKeyEncryption({ keyFile });
  const envelope = createEnvelope({ keyEncryption, dataKeys: { maxEntries: 100, maxAgeMs: 60_000, maxUses: 1_000 } });

  const config = parseSettings(
    { ...commonSettings, ...definition.settings },
    {
      WEIR_PORT: '0',
      WEIR_MANAGEMENT_PORT: '0',
      WEIR_BUS: 'postgres',
      WEIR_POSTGRES_URL: database.urlOf('upstream-fetcher'),
      WEIR_DATA_DIR: dataDir,
      WEIR_KEY_ENCRYPTION: 'local',
      WEIR_KEY_FILE: keyFile,
      WEIR_LIMITER: 'memory',
      WEIR_UPSTREAM_URL: upstreamUrl,
      WEIR_UPSTREAM_TIMEOUT_MS: '2500',
      WEIR_MAX_BODY: '1000000',
      WEIR_LOG_LEVEL: 'silent',
      ...environment,
    },
  );
  const log = createLogger(config, 'upstream-fetcher');
  const pool = await openPool({ name: 'upstream-fetcher', common: config, log });
  // its own, so that a spec may lose the database and keep the bus
  const busPool = await openPool({ name: 'upstream-fetcher', common: config, log });
  const realBus = openBus(config, 'upstream-fetcher', busPool, log);
  let busState: 'up' | 'failing' | 'hanging' = 'up';
  let resume: (() => void)[] = [];
  const bus: Bus = Object.assign(Object.create(realBus) as Bus, {
    async publish(records: readonly OutgoingRecord[]) {
      if (busState === 'failing') throw new Error('the broker is away');
      if (busState === 'hanging') await new Promise<void>((resolve) => resume.push(resolve));
      await realBus.publish(records);
    },
  });
  const process = createProcess({ config, log, bus });
  const runtime = createRuntime(process, 'upstream-fetcher', config, pool);
  const parts = await definition.create(runtime, config);
  const host = await startHost({ ...config, title: 'spec', version: '0', process, services: [{ runtime, parts }] });

  let stopped: Promise<void> | undefined;
  let version = 0;
  const waiting = new Map<string, () => void>();
  for (const contract of [
    planState,
    tenantState,
    apiTokenState,
    quotaState,
    upstreamKeyState,
    keyCeilingState,
    limitPolicyState,
    budgetState,
  ] as readonly Contract[]) {
    process.states.table(contract).onChange((key) => waiting.get(`${contract.topic}/${key}`)?.());
  }

  /** Published, and applied by the fetcher. */
  async function publish<S extends z.ZodType>(
    contract: Contract<string, S>,
    key: string,
    body: z.infer<S> | null,
  ): Promise<void> {
    const applied = new Promise<void>((resolve) => waiting.set(`${contract.topic}/${key}`, resolve));
    const value = body === null ? null : Buffer.from(JSON.stringify(contract.schema.parse(body)));
    await realBus.publish([{ topic: contract.topic, key, value, headers: { 'weir-version': String(++version) } }]);
    await applied;
  }

  async function request(path: string, headers: Record<string, string> = {}): Promise<CallAnswer> {
    const answer = await fetch(`${host.url}${path}`, { headers });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, headers: answer.headers, text, body: isJson ? (JSON.parse(text) as unknown) : undefined };
  }

  async function tokenOf(tenant: TenantState, mode: 'live' | 'test', role: Role): Promise<string> {
    const { id, secretHash, token } = mintToken({ mode });
    await publish(apiTokenState, id, {
      id,
      tenantId: tenant.id,
      projectId: tenant.defaultProject,
      mode,
      role,
      secretHash,
      expiresAt: null,
    });
    return token;
  }

  async function records<S extends z.ZodType>(contract: Contract<string, S>): Promise<z.infer<S>[]> {
    const found: z.infer<S>[] = [];
    const following = await specBus.follow({
      topics: [contract.topic],
      apply: ({ value }) => void (value !== null && found.push(contract.schema.parse(JSON.parse(value.toString('utf8'))))),
    });
    await following.caughtUp();
    await following.stop();
    return found;
  }

  return {
    url: host.url,
    managementUrl: host.managementUrl,
    request,
    records,

    async newTenant({ terms = {}, state = {}, role = 'member', quota = true } = {}) {
      const plan: PlanState = { id: newId('plan'), version: 1, archived: false, terms: { ...ROOMY, ...terms } };
      const id = newId('ten');
      let tenant: TenantState = {
        id,
        slug: randomBytes(6).toString('hex'),
        status: 'active',
        keyMode: 'shared',
        plan: { id: plan.id, version: 1 },
        trialEndsAt: null,
        defaultProject: newId('prj'),
        placement: 'schema',
        version: 1,
        registeredAt: Date.now(),
        ...state,
      };
      await provision.provision(id, 'schema');
      await publish(planState, `${plan.id}@1`, plan);
      await publish(tenantState, id, tenant);
      const now = Date.now();
      if (quota)
        await publish(quotaState, id, { tenantId: id, day: utcDay(now), dayCredits: 0, month: utcMonth(now), monthCredits: 0 });
      const token = await tokenOf(tenant, 'live', role);
      return {
        id,
        token,
        testToken: await tokenOf(tenant, 'test', role),
        call: (path, headers) => request(`/tiklive${path}`, { authorization: `Bearer ${token}`, ...headers }),
        change: async (change) => {
          tenant = { ...tenant, ...change };
          await publish(tenantState, id, tenant);
        },
      };
    },

    async newKey(secret, options = {}) {
      const id = options.id ?? newId('key');
      const owner = options.owner ?? PLATFORM;
      const dataKey = await envelope.createDataKey(owner, UPSTREAM_KEY_PURPOSE, 1);
      const sealed = await envelope.seal({ ...upstreamKeyContext({ owner, keyId: id, version: 1 }), plaintext: secret, dataKey });
      const key: UpstreamKeyState = {
        id,
        owner,
        status: 'usable',
        active: 1,
        weight: 1,
        scopes: ['download'],
        versions: [{ version: 1, state: 'active', drainUntil: null, ...sealedKeyMembers(sealed, dataKey) }],
        ...options,
      };
      await publish(upstreamKeyState, id, key);
      return key;
    },
    async rotateKey(key, secret) {
      const version = (key.active ?? 0) + 1;
      const dataKey = await envelope.createDataKey(key.owner, UPSTREAM_KEY_PURPOSE, version);
      const sealed = await envelope.seal({ ...upstreamKeyContext({ owner: key.owner, keyId: key.id, version }), plaintext: secret, dataKey });
      const before = key.versions.map((one) => ({ ...one, state: 'draining' as const, drainUntil: Date.now() + 300_000 }));
      const rotated: UpstreamKeyState = { ...key, active: version, versions: [...before, { version, state: 'active', drainUntil: null, ...sealedKeyMembers(sealed, dataKey) }] };
      await publish(upstreamKeyState, key.id, rotated);
      return rotated;
    },
    removeKey: ({ id }) => publish(upstreamKeyState, id, null),
    changeKey: (key, change) => publish(upstreamKeyState, key.id, { ...key, ...change }),
    setCeiling: (ceiling) =>
      publish(keyCeilingState, ceiling.keyId, { owner: PLATFORM, configured: ceiling, loweredAt: null, pausedUntil: null, ...ceiling }),

    setPolicy: ({ id }, ...overrides) =>
      publish(limitPolicyState, id, {
        tenantId: id,
        overrides: overrides.map((one) => ({ name: 'tenant-bucket', limit: null, refillPerSecond: null, expiresAt: null, shadow: false, ...one })),
      }),
    setBudgets: ({ id }, ...budgets) =>
      publish(budgetState, id, {
        tenantId: id,
        budgets: budgets.map((one, i) => ({
          budgetId: `bud_${i}`,
          projectId: null,
          period: 'day' as const,
          of: utcDay(Date.now()),
          limitCredits: 0,
          usedCredits: 0,
          hard: true,
          ...one,
        })),
      }),

    usageOf: async ({ id }) => (await records(usage)).filter(({ tenantId }) => tenantId === id),

    setBus(state) {
      busState = state;
      if (state !== 'hanging') for (const go of resume.splice(0)) go();
    },
    loseDatabase: async () => void Object.assign(pool, { query: away, connect: away }),
    stopService: () => (stopped ??= host.stop()),
    async stop() {
      resume = [];
      await (stopped ??= host.stop());
      await specBus.close();
      await busPool.end();
      await migrator.end();
      envelope.close();
    },
  };
}

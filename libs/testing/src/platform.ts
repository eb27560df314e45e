import { mintToken } from '@weir/access';
import { postgresBus, type Bus } from '@weir/bus';
import {
  ROLES,
  planTerms,
  stateTopic,
  type ApiTokenState,
  type PlanState,
  type KeyMode,
  type PlanTerms,
  type Role,
  type TenantState,
} from '@weir/contracts';
import { eventLog, type EventLog, type StateChange } from '@weir/event-store';
import { PLATFORM, fact, newId, type CommandContext, type ProjectId, type TenantId } from '@weir/kernel';
import { startRelay } from '@weir/relay';
import { collectBundle, createPool, provisioner, unitOfWork, type ServiceName } from '@weir/tenancy';
import type { TestDatabase } from './database';

/** Everything around a service under test: the bus in Postgres, a relay, and tenants as the registry would have made them. */
export interface TestPlatform {
  readonly bus: Bus;
  readonly operatorToken: string;
  newTenant(terms?: Partial<PlanTerms>, keyMode?: KeyMode): Promise<TestTenant>;
  /** A log as a service writes it. */
  logOf(service: ServiceName): EventLog;
  stop(): Promise<void>;
}

export interface TestTenant {
  readonly id: TenantId;
  readonly project: ProjectId;
  /** `<id>@<version>` */
  readonly plan: string;
  /** One live token of each role. */
  readonly tokens: Readonly<Record<Role, string>>;
}

const free = { amount: '0', currency: 'EUR' };
const TERMS: PlanTerms = {
  dailyCredits: 5_000,
  monthlyCredits: null,
  bucket: { capacity: 60, refillPerSecond: 2 },
  endpointBuckets: {},
  weight: 1,
  concurrency: 5,
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
  billing: { model: 'free', perCredit: free, perSeat: free, perMonth: free },
};

/** @param options.bus in place of the one in Postgres; closed with the platform */
export async function startTestPlatform(database: TestDatabase, options: { bus?: Bus } = {}): Promise<TestPlatform> {
  const registry = database.urlOf('tenant-registry');
  const pool = createPool({ url: registry, name: 'spec/registry', max: 5 });
  const migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 2 });
  const provision = provisioner(migrator, collectBundle());
  const pools = [pool, migrator];
  const work = unitOfWork(pool, 'tenant-registry');
  const events = eventLog(work);
  const bus = options.bus ?? postgresBus({ pool, directUrl: registry });
  const relay = startRelay({ work, bus, onError: (error) => process.stderr.write(`relay: ${error.stack}\n`) });

  async function newPlan(terms: Partial<PlanTerms>): Promise<{ id: string; version: number }> {
    const plan: PlanState = { id: newId('plan'), version: 1, archived: false, terms: planTerms.parse({ ...TERMS, ...terms }) };
    await events.append({
      tenant: PLATFORM,
      stream: `plan/${plan.id}`,
      expected: 'none',
      events: [fact('plan.version-published', { planId: plan.id, version: 1 })],
      context: contextOf(plan.id),
      states: [{ topic: stateTopic('plan'), key: `${plan.id}@1`, body: plan }],
    });
    return { id: plan.id, version: 1 };
  }

  return {
    bus,
    operatorToken: mintToken({ mode: 'live' }).token,

    async newTenant(terms = {}, keyMode = 'shared') {
      const plan = await newPlan(terms);
      const [id, project] = [newId('ten'), newId('prj')];
      await provision.provision(id, 'schema');
      const registration = {
        slug: 'spec',
        name: 'Spec',
        plan,
        keyMode,
        placement: 'schema' as const,
        trialEndsAt: null,
      };
      const { name: _, ...rest } = registration;
      const tenant: TenantState = {
        ...rest,
        id,
        status: 'active',
        defaultProject: project,
        version: 2,
        registeredAt: Date.now(),
      };
      const minted = ROLES.map((role) => ({ role, ...mintToken({ mode: 'live' }) }));
      await events.append({
        tenant: id,
        stream: `tenant/${id}`,
        expected: 'none',
        events: [fact('tenant.registered', registration), fact('project.created', { projectId: project, name: 'default' })],
        context: contextOf(id),
        states: [
          { topic: stateTopic('tenant'), key: id, body: tenant },
          ...minted.map((token) => tokenState(id, project, token)),
        ],
      });
      const tokens = Object.fromEntries(minted.map(({ role, token }) => [role, token])) as Record<Role, string>;
      return { id, project, plan: `${plan.id}@${plan.version}`, tokens };
    },

    logOf(service) {
      const own = createPool({ url: database.urlOf(service), name: `spec/${service}`, max: 2 });
      pools.push(own);
      return eventLog(unitOfWork(own, service));
    },

    async stop() {
      await relay.stop();
      await bus.close();
      await Promise.all(pools.map((one) => one.end()));
    },
  };
}

function tokenState(
  tenantId: TenantId,
  projectId: ProjectId,
  token: { id: ApiTokenState['id']; mode: 'live' | 'test'; role: Role; secretHash: string },
): StateChange {
  const { id, mode, role, secretHash } = token;
  const body: ApiTokenState = { id, tenantId, projectId, mode, role, secretHash, expiresAt: null };
  return { topic: stateTopic('api-token'), key: id, body };
}

const contextOf = (commandId: string): CommandContext => ({
  actor: { type: 'service', id: 'spec' },
  commandId,
  at: Date.now(),
  action: 'spec',
});

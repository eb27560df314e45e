import { mintToken } from '@weir/access';
import { postgresBus, type Bus } from '@weir/bus';
import {
  apiTokenState,
  planState,
  tenantState,
  TOPICS,
  USAGE_TOPIC,
  type PlanTerms,
  type Role,
  type Usage,
} from '@weir/contracts';
import { startRelay } from '@weir/relay';
import { newId, systemClock, type TenantId } from '@weir/kernel';
import type { Host } from '@weir/service-host';
import { createPool, unitOfWork } from '@weir/tenancy';
import { startTestService } from '@weir/testing';
import { definition } from '../index';
import { meteringDatabase, type MeteringDatabase } from './metering-database';

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

/** Metering as its main.ts runs it, with the relay beside it and in the place of the registry whoever writes the spec. */
export interface MeteringService {
  readonly database: MeteringDatabase;
  readonly bus: Bus;
  readonly operator: string;
  /** A tenant on a plan with these terms, as the state topics tell it. */
  tenantOn(terms: PlanTerms): Promise<TenantId>;
  tokenOf(tenant: TenantId, role: Role): Promise<string>;
  publish(...records: readonly Usage[]): Promise<void>;
  call<T>(
    method: string,
    path: string,
    token: string,
    options?: { body?: unknown; headers?: Record<string, string> },
  ): Promise<Answer<T>>;
  stop(): Promise<void>;
}

export async function startMetering(environment: Record<string, string> = {}): Promise<MeteringService> {
  const database = await meteringDatabase();
  const pool = createPool({ url: database.urlOf('tenant-registry'), name: 'spec' });
  const bus = postgresBus({ pool, directUrl: database.urlOf('tenant-registry') });
  await bus.ensureTopics(TOPICS);
  const relay = startRelay({ work: unitOfWork(pool, 'tenant-registry'), bus, onError: () => undefined });
  const operator = mintToken({ mode: 'live' }).token;
  const host: Host = await startTestService(definition, {
    database,
    environment: { WEIR_OPERATOR_TOKEN: operator, ...environment },
  });

  const say = (topic: string, key: string, body: unknown) =>
    bus.publish([
      {
        topic,
        key,
        value: Buffer.from(JSON.stringify(body)),
        headers: { 'weir-version': '1', 'content-type': 'application/json' },
      },
    ]);

  return {
    database,
    bus,
    operator,
    async tenantOn(terms) {
      const id = await database.newTenant();
      const plan = { id: `plan-of-${id}`, version: 1 };
      await say(planState.topic, `${plan.id}@1`, { ...plan, archived: false, terms });
      await say(tenantState.topic, id, {
        id,
        slug: id,
        status: 'active',
        keyMode: 'shared',
        plan,
        trialEndsAt: null,
        defaultProject: newId('prj'),
        placement: 'schema',
        version: 2,
        registeredAt: systemClock(),
      });
      return id;
    },
    async tokenOf(tenantId, role) {
      const { id, mode, secretHash, token } = mintToken({ mode: 'live' });
      await say(apiTokenState.topic, id, { id, tenantId, projectId: newId('prj'), mode, role, secretHash, expiresAt: null });
      return token;
    },
    publish: (...records) =>
      bus.publish(
        records.map((record) => ({
          topic: USAGE_TOPIC,
          key: `${record.tenantId}/${record.requestId}`,
          value: Buffer.from(JSON.stringify(record)),
          headers: {},
        })),
      ),
    async call<T>(
      method: string,
      path: string,
      token: string,
      { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
    ) {
      const response = await fetch(host.url + path, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('json') ?? false;
      return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
    },
    async stop() {
      await host.stop();
      await relay.stop();
      await bus.close();
      await pool.end();
      await database.drop();
    },
  };
}

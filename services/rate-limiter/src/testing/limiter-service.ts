import { stateTopic, type UpstreamKeyState, type UpstreamSignal } from '@weir/contracts';
import { SIGNAL_TOPIC } from '@weir/contracts';
import { PLATFORM, canonicalJson, fact, newId, newUuid, type KeyId, type TenantId } from '@weir/kernel';
import { redisLimiterStore, type LimiterStore } from '@weir/limiter';
import type { Environment, Host } from '@weir/service-host';
import {
  client,
  eventually,
  freshDatabase,
  freshRedis,
  startTestPlatform,
  startTestService,
  type Client,
  type TestPlatform,
  type TestTenant,
} from '@weir/testing';
import { Redis } from 'ioredis';
import { definition } from '../index';

/** The service as its main.ts runs it, and everything around it. */
export interface LimiterService {
  readonly platform: TestPlatform;
  readonly host: Host;
  readonly operator: Client;
  /** Over the same Redis. */
  readonly store: LimiterStore;
  /** A tenant that this service has heard of. */
  knownTenant(...terms: Parameters<TestPlatform['newTenant']>): Promise<TestTenant>;
  /** What `GET …/limits` says, those in force by name. */
  limitsOf(tenant: TestTenant): Promise<Map<string, Record<string, unknown>>>;
  /** An upstream key, as the vault says it, with its ceiling. */
  newKey(owner: TenantId, upstream?: string): Promise<KeyId>;
  dropKey(owner: TenantId, id: KeyId): Promise<void>;
  signal(of: Partial<UpstreamSignal> & { keyId: KeyId }): Promise<void>;
  publish(topic: string, key: string, ...values: unknown[]): Promise<void>;
  /** The latest that a state topic says of a key. */
  stateOf<T>(topic: string, key: string): Promise<T | null | undefined>;
  stop(): Promise<void>;
}

export async function startLimiterService(environment: Environment = {}): Promise<LimiterService> {
  const [database, redis] = await Promise.all([freshDatabase(), freshRedis()]);
  const platform = await startTestPlatform(database);
  const host = await startTestService(definition, {
    database,
    environment: { WEIR_REDIS_URL: redis.url, WEIR_OPERATOR_TOKEN: platform.operatorToken, ...environment },
  });
  const operator = client(host.url, platform.operatorToken);
  const connection = new Redis(redis.url);
  const vault = platform.logOf('key-vault');

  const say = (owner: TenantId, id: KeyId, body: UpstreamKeyState | null) =>
    vault.append({
      tenant: owner,
      stream: `upstream-key/${id}`,
      expected: 'any',
      events: [
        body === null
          ? fact('upstream-key.removed', { keyId: id })
          : fact('upstream-key.version-activated', { keyId: id, version: 1, scopes: [] }),
      ],
      context: { actor: { type: 'service', id: 'spec' }, commandId: `${id}/${body === null}`, at: Date.now(), action: 'spec' },
      states: [{ topic: stateTopic('upstream-key'), key: id, body }],
    });

  const publish = (topic: string, key: string, ...values: unknown[]) =>
    platform.bus.publish(
      values.map((value) => ({
        topic,
        key,
        value: Buffer.from(canonicalJson(value)),
        headers: { 'content-type': 'application/json' },
      })),
    );

  return {
    platform,
    host,
    operator,
    store: redisLimiterStore(connection, { prefix: 'weir:limit' }),
    publish,
    async knownTenant(...terms) {
      const tenant = await platform.newTenant(...terms);
      await eventually(async () => expect((await operator('GET', `/v1/tenants/${tenant.id}/limits`)).status).toBe(200));
      return tenant;
    },
    async limitsOf(tenant) {
      const { body } = await operator('GET', `/v1/tenants/${tenant.id}/limits`);
      const inForce = body.data.filter(({ mode, key }: { mode: string; key?: string }) => mode === 'enforced' && key === undefined);
      return new Map(inForce.map((limit: { name: string }) => [limit.name, limit]));
    },
    async newKey(owner, upstream) {
      const id = newId('key');
      await say(owner, id, { id, owner, status: 'usable', active: 1, weight: 1, scopes: [], versions: [], ...(upstream === undefined ? {} : { upstream }) });
      await eventually(async () => expect((await operator('GET', `/v1/upstream-keys/${id}/shares`)).status).toBe(200));
      return id;
    },
    dropKey: async (owner, id) => void (await say(owner, id, null)),
    signal: ({ keyId, ...of }) =>
      publish(SIGNAL_TOPIC, keyId, {
        eventId: newUuid(),
        keyId,
        keyVersion: 1,
        owner: PLATFORM,
        tenantId: newId('ten'),
        endpoint: 'userid',
        requestId: 'req_1',
        signal: 'rate-limited',
        retryAfterMs: null,
        at: Date.now(),
        ...of,
      }),
    async stateOf<T>(topic: string, key: string) {
      let latest: T | null | undefined;
      const following = await platform.bus.follow({
        topics: [topic],
        apply: (record) => {
          if (record.key === key) latest = record.value === null ? null : (JSON.parse(record.value.toString()) as T);
        },
      });
      await following.caughtUp();
      await following.stop();
      return latest;
    },
    async stop() {
      connection.disconnect();
      await host.stop();
      await platform.stop();
      await Promise.all([database.drop(), redis.close()]);
    },
  };
}

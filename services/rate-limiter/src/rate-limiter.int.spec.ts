import {
  DEMAND_TOPIC,
  SIGNAL_TOPIC,
  stateTopic,
  type Demand,
  type KeyCeilingState,
  type LimitPolicyState,
  type UpstreamKeyState,
} from '@weir/contracts';
import {
  PLATFORM,
  canonicalJson,
  fact,
  newId,
  newUuid,
  rfc3339,
  utcDay,
  utcMonth,
  type KeyId,
  type TenantId,
} from '@weir/kernel';
import { keyLimits, redisLimiterStore } from '@weir/limiter';
import type { Host } from '@weir/service-host';
import {
  client,
  eventually,
  freshDatabase,
  freshRedis,
  startTestPlatform,
  startTestService,
  type Client,
  type TestDatabase,
  type TestPlatform,
  type TestRedis,
  type TestTenant,
} from '@weir/testing';
import { tiklive } from '@weir/upstream-catalog';
import { Redis } from 'ioredis';
import { definition } from './index';

let database: TestDatabase;
let redis: TestRedis;
let platform: TestPlatform;
let host: Host;
let operator: Client;
let connection: Redis;

beforeAll(async () => {
  [database, redis] = await Promise.all([freshDatabase(), freshRedis()]);
  platform = await startTestPlatform(database);
  host = await startTestService(definition, {
    database,
    environment: { WEIR_REDIS_URL: redis.url, WEIR_OPERATOR_TOKEN: platform.operatorToken },
  });
  operator = client(host.url, platform.operatorToken);
  connection = new Redis(redis.url);
});
afterAll(async () => {
  connection.disconnect();
  await host.stop();
  await platform.stop();
  await Promise.all([database.drop(), redis.close()]);
});

/** A tenant that this service has heard of. */
async function knownTenant(...terms: Parameters<TestPlatform['newTenant']>): Promise<TestTenant> {
  const tenant = await platform.newTenant(...terms);
  await eventually(async () => expect((await operator('GET', `/v1/tenants/${tenant.id}/limits`)).status).toBe(200));
  return tenant;
}

const limitsOf = async (tenant: TestTenant) => {
  const { body } = await operator('GET', `/v1/tenants/${tenant.id}/limits`);
  return new Map<string, Record<string, unknown>>(body.data.map((limit: { name: string }) => [limit.name, limit]));
};

/** The latest that a state topic says of a key. */
async function stateOf<T>(topic: string, key: string): Promise<T | null | undefined> {
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
}

describe('the limits of a tenant', () => {
  it('are those of its plan, each with its use now and where it comes from', async () => {
    const tenant = await knownTenant({
      monthlyCredits: 9_000,
      endpointBuckets: { userid: { capacity: 3, refillPerSecond: 0.001 } },
    });
    const store = redisLimiterStore(connection, { prefix: 'weir:limit' });
    const now = Date.now();
    await store.takeTenant({
      tenant: tenant.id,
      project: tenant.project,
      takeId: 'a-call',
      endpoint: 'userid',
      cost: 2,
      limits: {
        bucket: { capacity: 60, refillPerSecond: 0.01 },
        endpointBuckets: { userid: { capacity: 3, refillPerSecond: 0.001 } },
        dailyCredits: 5_000,
        monthlyCredits: 9_000,
        concurrency: 5,
        leaseMs: 60_000,
      },
      ledger: { day: utcDay(now), dayCredits: 0, month: utcMonth(now), monthCredits: 0 },
    });

    const { body, headers } = await client(host.url, tenant.tokens.member)('GET', `/v1/tenants/${tenant.id}/limits`);
    const source = { from: 'plan', plan: tenant.plan };
    expect(headers.get('etag')).toBe('"0"');
    expect(body.data).toEqual([
      { name: 'tenant-bucket', unit: 'calls', limit: 60, used: 1, remaining: 59, resetAt: expect.any(String), source },
      {
        name: 'daily-quota',
        unit: 'credits',
        limit: 5_000,
        used: 2,
        remaining: 4_998,
        resetAt: rfc3339(Date.parse(utcDay(now)) + 86_400_000),
        source,
      },
      { name: 'monthly-quota', unit: 'credits', limit: 9_000, used: 2, remaining: 8_998, resetAt: expect.any(String), source },
      { name: 'concurrency', unit: 'slots', limit: 5, used: 1, remaining: 4, resetAt: null, source },
      {
        name: 'endpoint-bucket',
        endpoint: 'userid',
        unit: 'calls',
        limit: 3,
        used: 1,
        remaining: 2,
        resetAt: expect.any(String),
        source,
      },
    ]);
  });

  it('are changed by an override, which reaches the state topic, until it is removed', async () => {
    const tenant = await knownTenant();
    const expiresAt = rfc3339(Date.now() + 3_600_000);
    const path = `/v1/tenants/${tenant.id}/limits/daily-quota`;
    const put = await operator('PUT', path, { limit: 7, expiresAt });
    expect([put.status, put.body, put.headers.get('etag')]).toEqual([
      200,
      { name: 'daily-quota', limit: 7, refillPerSecond: null, expiresAt },
      '"1"',
    ]);
    expect((await limitsOf(tenant)).get('daily-quota')).toMatchObject({
      limit: 7,
      source: { from: 'override', plan: tenant.plan, expiresAt },
    });

    const topic = stateTopic('limit-policy');
    await eventually(async () =>
      expect(await stateOf<LimitPolicyState>(topic, tenant.id)).toEqual({
        tenantId: tenant.id,
        overrides: [{ name: 'daily-quota', limit: 7, refillPerSecond: null, expiresAt: Date.parse(expiresAt) }],
      }),
    );

    expect((await operator('DELETE', path)).status).toBe(204);
    expect((await operator('DELETE', path)).status).toBe(204);
    expect((await limitsOf(tenant)).get('daily-quota')).toMatchObject({ limit: 5_000, source: { from: 'plan' } });
    await eventually(async () =>
      expect(await stateOf<LimitPolicyState>(topic, tenant.id)).toEqual({ tenantId: tenant.id, overrides: [] }),
    );
  });

  it('fall back to the plan by themselves when an override expires', async () => {
    const tenant = await knownTenant();
    await operator('PUT', `/v1/tenants/${tenant.id}/limits/tenant-bucket`, {
      limit: 9,
      refillPerSecond: 1.5,
      expiresAt: rfc3339(Date.now() + 700),
    });
    expect((await limitsOf(tenant)).get('tenant-bucket')).toMatchObject({ limit: 9 });
    await eventually(async () =>
      expect((await limitsOf(tenant)).get('tenant-bucket')).toMatchObject({ limit: 60, source: { from: 'plan' } }),
    );
  });

  it('are not changed over somebody else’s change: an If-Match of an older version is refused', async () => {
    const tenant = await knownTenant();
    const path = `/v1/tenants/${tenant.id}/limits/concurrency`;
    expect((await operator('PUT', path, { limit: 2 }, { 'if-match': '"0"' })).status).toBe(200);
    const late = await operator('PUT', path, { limit: 3 }, { 'if-match': '"0"' });
    expect([late.status, late.body.code]).toEqual([412, 'version-conflict']);
    expect((await limitsOf(tenant)).get('concurrency')).toMatchObject({ limit: 2 });
  });

  it.each([
    ['daily-quota', { limit: 5, tenant_id: 'ten_x' }, 400, 'invalid-request'],
    ['daily-quota', { limit: -1 }, 400, 'invalid-request'],
    ['daily-quota', { limit: 1.5 }, 400, 'invalid-request'],
    ['daily-quota', { limit: 5, refillPerSecond: 1 }, 400, 'invalid-request'],
    ['daily-quota', { limit: 5, expiresAt: '2020-01-01T00:00:00Z' }, 400, 'invalid-request'],
    ['tenant-bucket', { limit: 1_000_000_000, refillPerSecond: 1 }, 400, 'invalid-request'],
    ['toString', { limit: 5 }, 404, 'unknown-limit'],
  ])('G3 L5 refuses an override of %s by %j', async (name, body, status, code) => {
    const tenant = await platform.newTenant();
    await knownTenant();
    const answer = await operator('PUT', `/v1/tenants/${tenant.id}/limits/${name}`, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});

describe('an upstream key', () => {
  const newKey = async (owner: TenantId): Promise<KeyId> => {
    const id = newId('key');
    const state: UpstreamKeyState = { id, owner, status: 'usable', active: 1, weight: 1, scopes: [], versions: [] };
    await say(owner, id, state);
    return id;
  };
  const say = (owner: TenantId, id: KeyId, body: UpstreamKeyState | null) =>
    platform.logOf('key-vault').append({
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
  const ceilingOf = (id: KeyId) => stateOf<KeyCeilingState>(stateTopic('key-ceiling'), id);
  const publish = (topic: string, key: string, ...values: unknown[]) =>
    platform.bus.publish(
      values.map((value) => ({
        topic,
        key,
        value: Buffer.from(canonicalJson(value)),
        headers: { 'content-type': 'application/json' },
      })),
    );

  it('gets a ceiling of what the upstream sells, whoever owns it, and loses it with the key', async () => {
    const tenant = await platform.newTenant();
    for (const owner of [PLATFORM, tenant.id]) {
      const id = await newKey(owner);
      await eventually(async () => expect(await ceilingOf(id)).toEqual({ keyId: id, ...tiklive.keyRate, concurrency: 0 }));
      await say(owner, id, null);
      await eventually(async () => expect(await ceilingOf(id)).toBeNull());
    }
  });

  it('shows who asked for how much of it, how fair that was, its bucket now and the last 429', async () => {
    const id = await newKey(PLATFORM);
    const [heavy, light] = [await platform.newTenant({ weight: 4 }), await knownTenant()];
    await eventually(async () => expect((await operator('GET', `/v1/upstream-keys/${id}/shares`)).status).toBe(200));
    const minute = Math.floor(Date.now() / 60_000) * 60_000;
    const asked = (tenant: TestTenant, rest: Partial<Demand>): Demand => ({
      eventId: newUuid(),
      keyId: id,
      tenantId: tenant.id,
      minute,
      admitted: 0,
      refused: {},
      promised: 0,
      waited: 0,
      waitedMs: 0,
      longestWaitMs: 0,
      shadow: {},
      ...rest,
    });
    const first = asked(heavy, { admitted: 30, refused: { 'upstream-key': 50, 'daily-quota': 3 } });
    // the same again, and of another fetcher, and of an hour ago
    await publish(
      DEMAND_TOPIC,
      id,
      first,
      asked(heavy, { admitted: 10, refused: { 'upstream-key': 10 }, waitedMs: 250 }),
      first,
      asked(light, { admitted: 10, refused: { 'fair-share': 20 } }),
      asked(light, { minute: minute - 3_600_000, admitted: 999 }),
    );
    const signal = {
      eventId: newUuid(),
      keyId: id,
      keyVersion: 1,
      owner: PLATFORM,
      tenantId: light.id,
      endpoint: 'userid',
      requestId: 'req_1',
    };
    const refusedAt = Date.now();
    await publish(
      SIGNAL_TOPIC,
      id,
      { ...signal, signal: 'rate-limited', retryAfterMs: 1_500, at: refusedAt },
      { ...signal, signal: 'rate-limited', retryAfterMs: null, at: refusedAt - 5_000 },
      { ...signal, signal: 'accepted', retryAfterMs: null, at: refusedAt + 1 },
    );
    const store = redisLimiterStore(connection, { prefix: 'weir:limit' });
    // so many that the bucket is not full again before it is looked at
    for (let take = 0; take < tiklive.keyRate.burst; take++) {
      await store.takeKey({
        keyId: id,
        tenant: light.id,
        project: light.project,
        takeId: `x${take}`,
        limits: keyLimits({ ceiling: undefined, keyRate: tiklive.keyRate, leaseMs: 60_000 }),
      });
    }

    await eventually(async () => {
      const { body } = await operator('GET', `/v1/upstream-keys/${id}/shares?minutes=3`);
      expect(body).toMatchObject({
        keyId: id,
        ceiling: { ...tiklive.keyRate, concurrency: 0 },
        now: [{ name: 'upstream-key', limit: tiklive.keyRate.burst }],
        lastRefusal: { at: rfc3339(refusedAt), endpoint: 'userid', tenantId: light.id, retryAfterMs: 1_500 },
        tenants: [
          {
            tenantId: heavy.id,
            admitted: 40,
            refused: { 'upstream-key': 60, 'daily-quota': 3 },
            waitedMs: 250,
            weight: 4,
            fairShare: 40,
          },
          { tenantId: light.id, admitted: 10, refused: { 'fair-share': 20 }, waitedMs: 0, weight: 1, fairShare: 10 },
        ],
        fairness: 1,
      });
      expect(body.now[0].used).toBeGreaterThan(0);
    });
  });

  it('is not found when nobody has heard of it', async () => {
    for (const id of [newId('key'), 'key_x', 'x'])
      expect((await operator('GET', `/v1/upstream-keys/${id}/shares`)).body.code).toBe('not-found');
  });
});

describe('access', () => {
  it("G1 another tenant's limits answer as an unknown tenant's", async () => {
    const [mine, other] = [await knownTenant(), await knownTenant()];
    const asOwner = client(host.url, mine.tokens.owner);
    for (const [method, path, body] of [
      ['GET', 'limits', undefined],
      ['PUT', 'limits/daily-quota', { limit: 1 }],
      ['DELETE', 'limits/daily-quota', undefined],
    ] as const) {
      const [theirs, nobodys] = await Promise.all(
        [other.id, newId('ten')].map((id) => asOwner(method, `/v1/tenants/${id}/${path}`, body)),
      );
      const seen = ({ status, body: { requestId: _, ...rest } }: NonNullable<typeof theirs>) => ({ status, rest });
      expect(theirs?.status).toBe(404);
      expect(theirs && seen(theirs)).toEqual(nobodys && seen(nobodys));
    }
  });

  it('G2 roles reach what is theirs: limits are for members to read and for operators to change, shares for operators', async () => {
    const tenant = await knownTenant();
    const path = `/v1/tenants/${tenant.id}/limits`;
    const status = async (role: keyof TestTenant['tokens'], ...call: Parameters<Client>) =>
      (await client(host.url, tenant.tokens[role])(...call)).status;
    for (const role of ['owner', 'admin', 'member'] as const) expect(await status(role, 'GET', path)).toBe(200);
    expect(await status('auditor', 'GET', path)).toBe(403);
    for (const role of ['owner', 'admin', 'member', 'auditor'] as const) {
      expect(await status(role, 'PUT', `${path}/daily-quota`, { limit: 1 })).toBe(403);
      expect(await status(role, 'DELETE', `${path}/daily-quota`)).toBe(403);
      expect(await status(role, 'GET', `/v1/upstream-keys/${newId('key')}/shares`)).toBe(403);
    }
    expect((await client(host.url, undefined)('GET', path)).status).toBe(401);
  });
});

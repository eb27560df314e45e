import { DEMAND_TOPIC, stateTopic, type Demand, type LimitPolicyState } from '@weir/contracts';
import { PLATFORM, newUuid, rfc3339, utcDay, utcMonth } from '@weir/kernel';
import { client, eventually } from '@weir/testing';
import { tiklive } from '@weir/upstream-catalog';
import { startLimiterService, type LimiterService } from '../testing/limiter-service';

let service: LimiterService;

beforeAll(async () => {
  service = await startLimiterService();
}, 30_000);
afterAll(() => service.stop(), 30_000);

describe('the limits of a tenant', () => {
  it('are those of its plan, each with its use now and where it comes from', async () => {
    const tenant = await service.knownTenant({
      monthlyCredits: 9_000,
      endpointBuckets: { userid: { capacity: 3, refillPerSecond: 0.001 } },
    });
    const now = Date.now();
    await service.store.takeTenant({
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

    const { body, headers } = await client(service.host.url, tenant.tokens.member)('GET', `/v1/tenants/${tenant.id}/limits`);
    const plan = { mode: 'enforced', source: { from: 'plan', plan: tenant.plan } };
    expect(headers.get('etag')).toBe('"0"');
    expect(body.data).toEqual([
      { name: 'tenant-bucket', unit: 'calls', limit: 60, used: 1, remaining: 59, resetAt: expect.any(String), ...plan },
      {
        name: 'daily-quota',
        unit: 'credits',
        limit: 5_000,
        used: 2,
        remaining: 4_998,
        resetAt: rfc3339(Date.parse(utcDay(now)) + 86_400_000),
        ...plan,
      },
      { name: 'monthly-quota', unit: 'credits', limit: 9_000, used: 2, remaining: 8_998, resetAt: expect.any(String), ...plan },
      { name: 'concurrency', unit: 'slots', limit: 5, used: 1, remaining: 4, resetAt: null, ...plan },
      {
        name: 'endpoint:userid',
        unit: 'calls',
        limit: 3,
        used: 1,
        remaining: 2,
        resetAt: expect.any(String),
        ...plan,
      },
    ]);
  });

  it('are changed by an override, which reaches the state topic, until it is removed', async () => {
    const tenant = await service.knownTenant();
    const expiresAt = rfc3339(Date.now() + 3_600_000);
    const path = `/v1/tenants/${tenant.id}/limits/daily-quota`;
    const put = await service.operator('PUT', path, { limit: 7, expiresAt });
    expect([put.status, put.body, put.headers.get('etag')]).toEqual([
      200,
      { name: 'daily-quota', limit: 7, refillPerSecond: null, expiresAt, shadow: false },
      '"1"',
    ]);
    expect((await service.limitsOf(tenant)).get('daily-quota')).toMatchObject({
      limit: 7,
      source: { from: 'override', name: 'daily-quota', plan: tenant.plan, expiresAt },
    });

    const topic = stateTopic('limit-policy');
    await eventually(async () =>
      expect(await service.stateOf<LimitPolicyState>(topic, tenant.id)).toEqual({
        tenantId: tenant.id,
        overrides: [{ name: 'daily-quota', limit: 7, refillPerSecond: null, expiresAt: Date.parse(expiresAt), shadow: false }],
      }),
    );

    expect((await service.operator('DELETE', path)).status).toBe(204);
    expect((await service.operator('DELETE', path)).status).toBe(204);
    expect((await service.limitsOf(tenant)).get('daily-quota')).toMatchObject({ limit: 5_000, source: { from: 'plan' } });
    await eventually(async () =>
      expect(await service.stateOf<LimitPolicyState>(topic, tenant.id)).toEqual({ tenantId: tenant.id, overrides: [] }),
    );
  });

  it('fall back to the plan by themselves when an override expires', async () => {
    const tenant = await service.knownTenant();
    await service.operator('PUT', `/v1/tenants/${tenant.id}/limits/tenant-bucket`, {
      limit: 9,
      refillPerSecond: 1.5,
      expiresAt: rfc3339(Date.now() + 700),
    });
    expect((await service.limitsOf(tenant)).get('tenant-bucket')).toMatchObject({ limit: 9 });
    await eventually(async () =>
      expect((await service.limitsOf(tenant)).get('tenant-bucket')).toMatchObject({ limit: 60, source: { from: 'plan' } }),
    );
  });

  it('are changed for all endpoints by a wildcard, and seen as that', async () => {
    const tenant = await service.knownTenant();
    const put = await service.operator('PUT', `/v1/tenants/${tenant.id}/limits/${encodeURIComponent('endpoint:*')}`, {
      limit: 120,
      refillPerSecond: 2,
    });
    expect(put.status).toBe(200);
    const limits = await service.limitsOf(tenant);
    for (const { id } of tiklive.endpoints) {
      expect(limits.get(`endpoint:${id}`)).toMatchObject({ limit: 120, used: 0, source: { from: 'override', name: 'endpoint:*' } });
    }
    expect(limits.get('tenant-bucket')).toMatchObject({ limit: 60, source: { from: 'plan' } });
  });

  it('are tried in the shadow beside those in force, and ended there alone', async () => {
    const tenant = await service.knownTenant();
    const path = `/v1/tenants/${tenant.id}/limits`;
    await service.operator('PUT', `${path}/daily-quota`, { limit: 3, shadow: true });
    await service.operator('PUT', `${path}/daily-quota`, { limit: 400 });
    const seen = async () =>
      (await service.operator('GET', path)).body.data
        .filter(({ name }: { name: string }) => name === 'daily-quota')
        .map(({ mode, limit, source }: Record<string, unknown>) => [mode, limit, (source as { from: string }).from]);
    expect(await seen()).toEqual([
      ['enforced', 400, 'override'],
      ['shadow', 3, 'override'],
    ]);
    expect((await service.operator('DELETE', `${path}/daily-quota?shadow=true`)).status).toBe(204);
    expect(await seen()).toEqual([['enforced', 400, 'override']]);
  });

  it('say of a trial in the shadow how many calls it would have refused', async () => {
    const tenant = await service.knownTenant();
    await service.operator('PUT', `/v1/tenants/${tenant.id}/limits/concurrency`, { limit: 1, shadow: true });
    const counted: Demand = {
      eventId: newUuid(),
      keyId: 'key_a',
      tenantId: tenant.id,
      minute: Date.now(),
      admitted: 9,
      refused: {},
      promised: 0,
      waited: 0,
      waitedMs: 0,
      longestWaitMs: 0,
      shadow: { concurrency: 4, 'daily-quota': 1 },
    };
    await service.publish(DEMAND_TOPIC, 'key_a', counted, { ...counted, eventId: newUuid(), minute: counted.minute - 7_000_000 });
    await eventually(async () => {
      const { body } = await service.operator('GET', `/v1/tenants/${tenant.id}/limits`);
      expect(body.data).toContainEqual(expect.objectContaining({ name: 'concurrency', mode: 'shadow', limit: 1, wouldHaveRefused: 4 }));
    });
  });

  it('are its hard budgets, too, with what metering has counted', async () => {
    const tenant = await service.knownTenant();
    const month = utcMonth(Date.now());
    const budget = { projectId: null, period: 'month', of: month, hard: true, usedCredits: 30 };
    const budgets = [
      { ...budget, budgetId: 'bud_wide', limitCredits: 90 },
      { ...budget, budgetId: 'bud_tight', limitCredits: 40 },
      { ...budget, budgetId: 'bud_soft', limitCredits: 10, hard: false },
    ];
    const now = Date.now();
    const quota = { tenantId: tenant.id, day: utcDay(now), dayCredits: 12, month, monthCredits: 30 };
    for (const [topic, value] of [
      [stateTopic('budget'), { tenantId: tenant.id, budgets }],
      [stateTopic('quota'), quota],
    ] as const) {
      const headers = { 'weir-version': '1' };
      await service.platform.bus.publish([{ topic, key: tenant.id, value: Buffer.from(JSON.stringify(value)), headers }]);
    }
    await eventually(async () =>
      expect((await service.limitsOf(tenant)).get('budget')).toMatchObject({
        unit: 'credits',
        limit: 40,
        used: 30,
        remaining: 10,
        source: { from: 'budget', budgetId: 'bud_tight' },
      }),
    );
  });

  it('can be put out of force altogether, as a trial', async () => {
    const tenant = await service.knownTenant();
    await service.operator('PUT', `/v1/tenants/${tenant.id}/limits/*`, { shadow: true });
    expect([...(await service.limitsOf(tenant)).keys()]).toEqual([]);
    const { body } = await service.operator('GET', `/v1/tenants/${tenant.id}/limits`);
    expect(body.data).toContainEqual(
      expect.objectContaining({ name: 'tenant-bucket', mode: 'shadow', limit: 60, source: { from: 'plan', plan: tenant.plan } }),
    );
  });

  it('are those of the keys it calls with, too, and say what was learned of them', async () => {
    const tenant = await service.knownTenant();
    const id = await service.newKey(PLATFORM);
    const ofKeys = async () =>
      (await service.operator('GET', `/v1/tenants/${tenant.id}/limits`)).body.data.filter(({ key }: { key?: string }) => key === 'platform');
    await eventually(async () =>
      expect(await ofKeys()).toContainEqual(
        expect.objectContaining({
          name: 'upstream-key',
          limit: tiklive.keyRate.burst,
          source: { from: 'ceiling', learned: false, configuredPerMinute: 200, perMinute: 200 },
        }),
      ),
    );
    await service.signal({ keyId: id });
    await eventually(async () =>
      expect(await ofKeys()).toContainEqual(
        expect.objectContaining({ source: { from: 'ceiling', learned: true, configuredPerMinute: 200, perMinute: 140 } }),
      ),
    );
  });

  it('are not changed over somebody else’s change: an If-Match of an older version is refused', async () => {
    const tenant = await service.knownTenant();
    const path = `/v1/tenants/${tenant.id}/limits/concurrency`;
    expect((await service.operator('PUT', path, { limit: 2 }, { 'if-match': '"0"' })).status).toBe(200);
    const late = await service.operator('PUT', path, { limit: 3 }, { 'if-match': '"0"' });
    expect([late.status, late.body.code]).toEqual([412, 'version-conflict']);
    expect((await service.limitsOf(tenant)).get('concurrency')).toMatchObject({ limit: 2 });
  });

  it.each([
    ['daily-quota', { limit: 5, tenant_id: 'ten_x' }, 400, 'invalid-request'],
    ['daily-quota', { limit: -1 }, 400, 'invalid-request'],
    ['daily-quota', { limit: 1.5 }, 400, 'invalid-request'],
    ['daily-quota', { limit: 5, refillPerSecond: 1 }, 400, 'invalid-request'],
    ['daily-quota', { limit: 5, expiresAt: '2020-01-01T00:00:00Z' }, 400, 'invalid-request'],
    ['tenant-bucket', { limit: 1_000_000_000, refillPerSecond: 1 }, 400, 'invalid-request'],
    ['endpoint:userid', { limit: 1_000_000_000, refillPerSecond: 1 }, 400, 'invalid-request'],
    ['daily-quota', {}, 400, 'invalid-request'],
    ['*', { limit: 5 }, 400, 'invalid-request'],
    ['endpoint:nothing', { limit: 5 }, 404, 'unknown-limit'],
    ['toString', { limit: 5 }, 404, 'unknown-limit'],
  ])('G3 L5 refuses an override of %s by %j', async (name, body, status, code) => {
    const tenant = await service.platform.newTenant();
    await service.knownTenant();
    const answer = await service.operator('PUT', `/v1/tenants/${tenant.id}/limits/${name}`, body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });
});


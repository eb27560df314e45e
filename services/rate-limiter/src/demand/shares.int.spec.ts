import { DEMAND_TOPIC, SIGNAL_TOPIC, type Demand } from '@weir/contracts';
import { PLATFORM, newId, newUuid, rfc3339 } from '@weir/kernel';
import { keyLimits } from '@weir/limiter';
import { eventually, type TestTenant } from '@weir/testing';
import { tiklive } from '@weir/upstream-catalog';
import { startLimiterService, type LimiterService } from '../testing/limiter-service';

let service: LimiterService;

beforeAll(async () => {
  service = await startLimiterService();
}, 30_000);
afterAll(() => service.stop(), 30_000);

describe('the shares of an upstream key', () => {
  it('shows who asked for how much of it, how fair that was, its bucket now and the last 429', async () => {
    const id = await service.newKey(PLATFORM);
    const [heavy, light] = [await service.platform.newTenant({ weight: 4 }), await service.knownTenant()];
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
    await service.publish(
      DEMAND_TOPIC,
      id,
      first,
      asked(heavy, { admitted: 10, refused: { 'upstream-key': 10 }, promised: 20, waited: 2, waitedMs: 250, longestWaitMs: 200 }),
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
    await service.publish(
      SIGNAL_TOPIC,
      id,
      { ...signal, signal: 'rate-limited', retryAfterMs: 1_500, at: refusedAt },
      { ...signal, signal: 'rate-limited', retryAfterMs: null, at: refusedAt - 5_000 },
      { ...signal, signal: 'accepted', retryAfterMs: null, at: refusedAt + 1 },
    );
    // so many that the bucket is not full again before it is looked at
    for (let take = 0; take < tiklive.keyRate.burst; take++) {
      await service.store.takeKey({
        keyId: id,
        tenant: light.id,
        project: light.project,
        takeId: `x${take}`,
        limits: keyLimits({ ceiling: undefined, keyRate: tiklive.keyRate, leaseMs: 60_000 }),
      });
    }

    await eventually(async () => {
      const { body } = await service.operator('GET', `/v1/upstream-keys/${id}/shares?minutes=3`);
      expect(body).toMatchObject({
        keyId: id,
        // the 429 among the signals has taught something
        ceiling: { perMinute: 140, burst: 35, concurrency: 0, configured: tiklive.keyRate },
        now: [{ name: 'upstream-key', limit: 35 }],
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
        longestWaitMs: 200,
        promised: 0.25,
      });
      expect(body.now[0].used).toBeGreaterThan(0);
    });
  });

  it('is not found when nobody has heard of it', async () => {
    for (const id of [newId('key'), 'key_x', 'x'])
      expect((await service.operator('GET', `/v1/upstream-keys/${id}/shares`)).body.code).toBe('not-found');
  });
});


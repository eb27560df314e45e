import { stateTopic, type KeyCeilingState } from '@weir/contracts';
import { PLATFORM, newId, type KeyId } from '@weir/kernel';
import { client, eventually } from '@weir/testing';
import { tiklive } from '@weir/upstream-catalog';
import { startLimiterService, type LimiterService } from '../testing/limiter-service';

let service: LimiterService;

beforeAll(async () => {
  service = await startLimiterService();
}, 30_000);
afterAll(() => service.stop(), 30_000);

const ceilingOf = (id: KeyId) => service.stateOf<KeyCeilingState>(stateTopic('key-ceiling'), id);

describe("an upstream key's ceiling", () => {
  it('is what the upstream sells, whoever owns the key, and goes with it', async () => {
    const tenant = await service.platform.newTenant();
    for (const owner of [PLATFORM, tenant.id]) {
      const id = await service.newKey(owner);
      expect(await ceilingOf(id)).toEqual({
        keyId: id,
        owner,
        ...tiklive.keyRate,
        concurrency: 0,
        configured: tiklive.keyRate,
        loweredAt: null,
        pausedUntil: null,
      });
      await service.dropKey(owner, id);
      await eventually(async () => expect(await ceilingOf(id)).toBeNull());
    }
  });

  it('is learned from 429s and headers, as events in the log of its owner, once however often a signal comes', async () => {
    const tenant = await service.platform.newTenant();
    const id = await service.newKey(tenant.id);
    const at = Date.now();
    const refused = { keyId: id, owner: tenant.id, eventId: 'a-signal', retryAfterMs: 3_000, at };
    await service.signal(refused);
    await service.signal(refused);
    await service.signal({ keyId: id, owner: tenant.id, signal: 'rate-stated', statedPerMinute: 90 });
    await eventually(async () => expect(await ceilingOf(id)).toMatchObject({ perMinute: 90, burst: 22, loweredAt: at, pausedUntil: at + 3_000 }));
    const events = await service.platform.logOf('rate-limiter').read(tenant.id, { after: 0, limit: 100, stream: `key-ceiling/${id}` });
    expect(events.map(({ type }) => type)).toEqual(['key-ceiling.configured', 'key-ceiling.lowered', 'key-ceiling.stated']);
  });

  it('is configured by the operator for what was agreed with the upstream', async () => {
    const id = await service.newKey(PLATFORM);
    const path = `/v1/upstream-keys/${id}/ceiling`;
    const put = await service.operator('PUT', path, { perMinute: 12_000, burst: 500, concurrency: 40 });
    expect([put.status, put.body]).toMatchObject([200, { perMinute: 12_000, burst: 500, concurrency: 40 }]);
    await eventually(async () => expect(await ceilingOf(id)).toMatchObject({ perMinute: 12_000, configured: { perMinute: 12_000 } }));
    expect((await service.operator('DELETE', path)).body).toMatchObject(tiklive.keyRate);
  });

  it('is the operator’s to say, and no unknown key’s', async () => {
    const tenant = await service.knownTenant();
    const ceiling = { perMinute: 1, burst: 1 };
    const asOwner = client(service.host.url, tenant.tokens.owner);
    const id = await service.newKey(tenant.id);
    expect((await asOwner('PUT', `/v1/upstream-keys/${id}/ceiling`, ceiling)).status).toBe(403);
    for (const unknown of [newId('key'), 'x']) {
      expect((await service.operator('PUT', `/v1/upstream-keys/${unknown}/ceiling`, ceiling)).body.code).toBe('not-found');
    }
    for (const bad of [{ perMinute: 0, burst: 1 }, { perMinute: 1 }, { ...ceiling, concurrency: -1 }]) {
      expect((await service.operator('PUT', `/v1/upstream-keys/${id}/ceiling`, bad)).status).toBe(400);
    }
  });
});

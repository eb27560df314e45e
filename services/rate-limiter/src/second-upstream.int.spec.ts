import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PLATFORM } from '@weir/kernel';
import { eventually, quotesCatalog } from '@weir/testing';
import { tiklive } from '@weir/upstream-catalog';
import { startLimiterService, type LimiterService } from './testing/limiter-service';

/** A second upstream is a catalog file: its endpoints have limits and its keys a rate as those of the first one. */
describe('limits of a second upstream', () => {
  let service: LimiterService;
  const directory = mkdtempSync(join(tmpdir(), 'weir-second-'));

  beforeAll(async () => {
    service = await startLimiterService({ WEIR_CATALOGS: quotesCatalog(directory) });
  }, 30_000);
  afterAll(async () => {
    await service.stop();
    rmSync(directory, { recursive: true, force: true });
  }, 30_000);

  it("an override names one of its endpoints, or covers it with the first one's by a pattern", async () => {
    const tenant = await service.knownTenant();
    const put = (name: string, limit: number) => service.operator('PUT', `/v1/tenants/${tenant.id}/limits/${encodeURIComponent(name)}`, { limit, refillPerSecond: 1 });
    expect([(await put('endpoint:*', 30)).status, (await put('endpoint:quote', 7)).status]).toEqual([200, 200]);
    const limits = await service.limitsOf(tenant);
    expect(['endpoint:quote', 'endpoint:quote-trades', 'endpoint:userid'].map((name) => limits.get(name)?.['limit'])).toEqual([7, 30, 30]);
    expect((await put('endpoint:quotes', 7)).body.code).toBe('unknown-limit');
  });

  it('a key of it begins with what it sells, and has that again when its ceiling is taken away', async () => {
    const first = await service.newKey(PLATFORM);
    const second = await service.newKey(PLATFORM, 'quotes');
    for (const [key, sold] of [[first, tiklive.keyRate], [second, { perMinute: 60_000, burst: 1_000 }]] as const) {
      const path = `/v1/upstream-keys/${key}/ceiling`;
      expect((await service.operator('GET', `/v1/upstream-keys/${key}/shares`)).body.ceiling).toMatchObject(sold);
      expect((await service.operator('PUT', path, { perMinute: 10, burst: 1 })).body).toMatchObject({ perMinute: 10 });
      expect((await service.operator('DELETE', path)).body).toMatchObject({ ...sold, configured: sold });
    }
  });

  it('a tenant with an own key for one upstream calls the other with the platform’s', async () => {
    const tenant = await service.knownTenant({}, 'hybrid');
    const own = await service.newKey(tenant.id, 'quotes');
    await service.newKey(PLATFORM);
    await service.newKey(PLATFORM, 'quotes');
    await eventually(async () => {
      const { body } = await service.operator('GET', `/v1/tenants/${tenant.id}/limits`);
      const ofKeys = body.data.filter(({ key }: { key?: string }) => key !== undefined).map(({ key, upstream }: { key: string; upstream?: string }) => `${key} ${upstream}`);
      expect([...new Set(ofKeys)].sort()).toEqual([`${own} quotes`, 'platform undefined']);
    });
  });
});

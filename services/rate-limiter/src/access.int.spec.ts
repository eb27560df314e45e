import { newId } from '@weir/kernel';
import { client, type Client, type TestTenant } from '@weir/testing';
import { startLimiterService, type LimiterService } from './testing/limiter-service';

let service: LimiterService;

beforeAll(async () => {
  service = await startLimiterService();
}, 30_000);
afterAll(() => service.stop(), 30_000);

describe('access', () => {
  it("G1 another tenant's limits answer as an unknown tenant's", async () => {
    const [mine, other] = [await service.knownTenant(), await service.knownTenant()];
    const asOwner = client(service.host.url, mine.tokens.owner);
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
    const tenant = await service.knownTenant();
    const path = `/v1/tenants/${tenant.id}/limits`;
    const status = async (role: keyof TestTenant['tokens'], ...call: Parameters<Client>) =>
      (await client(service.host.url, tenant.tokens[role])(...call)).status;
    for (const role of ['owner', 'admin', 'member'] as const) expect(await status(role, 'GET', path)).toBe(200);
    expect(await status('auditor', 'GET', path)).toBe(403);
    for (const role of ['owner', 'admin', 'member', 'auditor'] as const) {
      expect(await status(role, 'PUT', `${path}/daily-quota`, { limit: 1 })).toBe(403);
      expect(await status(role, 'DELETE', `${path}/daily-quota`)).toBe(403);
      expect(await status(role, 'GET', `/v1/upstream-keys/${newId('key')}/shares`)).toBe(403);
    }
    expect((await client(service.host.url, undefined)('GET', path)).status).toBe(401);
  });
});

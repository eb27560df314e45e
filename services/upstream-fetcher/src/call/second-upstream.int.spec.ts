import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freshDatabase, startSecondUpstream, type SecondUpstream, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { startFetcher, type RunningFetcher } from '../testing/running-fetcher';

/** A second upstream is a catalog file and a base path: nothing in the code knows it. */
describe('a second upstream', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let provider: SecondUpstream;
  let fetcher: RunningFetcher;
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-second-'));
  const as = (token: string) => ({ authorization: `Bearer ${token}` });

  beforeAll(async () => {
    provider = await startSecondUpstream(dataDir);
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    const environment = { ...provider.environment, WEIR_SIMULATOR_URL: simulator.url };
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment });
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: ['download'], suspended: false });
    await fetcher.newKey('platform-secret');
    await fetcher.newKey('quotes-secret', { upstream: 'quotes' });
  }, 60_000);
  afterAll(async () => {
    await fetcher.stop();
    await simulator.close();
    await provider.close();
    await database.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  it('is called under its base path, with a key of its own and at its own price, from the cache too', async () => {
    const tenant = await fetcher.newTenant({ terms: { dailyCredits: 100 } });
    const first = await fetcher.request('/quotes/quote/?symbol=ABC', as(tenant.token));
    expect([first.status, first.text, first.headers.get('weir-credits'), first.headers.get('weir-key')]).toEqual([200, '{"price":12.5}', '3', 'platform']);
    expect(first.headers.get('ratelimit')).toContain('"daily-quota";r=97');
    expect(provider.asked.at(-1)).toEqual({ url: '/quote/?symbol=ABC', token: 'quotes-secret' });
    await eventually(async () => expect((await fetcher.request('/quotes/quote?symbol=ABC', as(tenant.token))).headers.get('weir-cache')).toBe('hit'));
    const nothing = await fetcher.request('/quotes/quote/?symbol=NONE', as(tenant.token));
    expect([nothing.status, nothing.headers.get('weir-credits')]).toEqual([404, '3']);
    await eventually(async () =>
      expect((await fetcher.usageOf(tenant)).filter(({ kind }) => kind === 'settled').map(({ endpoint, chargedCredits }) => [endpoint, chargedCredits])).toEqual([
        ['quote', 3],
        ['quote', 3],
      ]),
    );
    // the first one is untouched by it, and the other way round
    expect((await tenant.call('/userid/?username=somebody')).status).toBe(200);
    expect((await tenant.call('/quote/?symbol=ABC')).body.code).toBe('unknown-endpoint');
    expect((await fetcher.request('/quotes/userid/?username=x', as(tenant.token))).body.code).toBe('unknown-endpoint');
    expect((await fetcher.request('/quotes/quote/?symbol=abc', as(tenant.token))).body.code).toBe('invalid-parameter');
  });

  it("takes a tenant's own key for it alone", async () => {
    const tenant = await fetcher.newTenant({ state: { keyMode: 'byo' } });
    await fetcher.newKey('own-quotes', { owner: tenant.id, upstream: 'quotes' });
    const answer = await fetcher.request('/quotes/quote/?symbol=OWN', as(tenant.token));
    expect([answer.status, answer.headers.get('weir-key')]).toEqual([200, 'own']);
    expect(provider.asked.at(-1)?.token).toBe('own-quotes');
    expect((await tenant.call('/userid/?username=somebody')).body.code).toBe('upstream-key-missing');
    expect((await fetcher.request('/quotes/quote/?symbol=OWN', as(tenant.testToken))).body.code).toBe('simulator-missing');
  });

  it('is in the catalog and in the API reference', async () => {
    const tenant = await fetcher.newTenant();
    const first = await fetcher.request('/v1/catalog', as(tenant.token));
    expect(first.body).toMatchObject({ id: 'tiklive', upstreams: ['tiklive', 'quotes'] });
    const second = await fetcher.request('/v1/catalog?upstream=quotes', as(tenant.token));
    expect(second.body).toMatchObject({ id: 'quotes', basePath: '/quotes', endpoints: expect.arrayContaining([expect.objectContaining({ id: 'quote', credits: 3 })]) });
    expect((await fetcher.request('/v1/catalog?upstream=none', as(tenant.token))).status).toBe(404);
    const { body: reference } = await fetcher.request('/v1/openapi.json');
    expect(Object.keys(reference.paths)).toEqual(expect.arrayContaining(['/tiklive/userid/', '/quotes/quote/']));
  });
});

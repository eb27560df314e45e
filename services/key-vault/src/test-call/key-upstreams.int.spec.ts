import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { stateOf } from '../testing/observations';
import { startVault, type RunningVault } from '../testing/running-vault';

const QUOTES = {
  id: 'quotes',
  title: 'Quotes',
  basePath: '/quotes',
  origin: 'https://quotes.example',
  auth: { header: 'Api-Token' },
  keyRate: { perMinute: 600, burst: 10 },
  scopes: [],
  testCall: { endpoint: 'quote', query: { symbol: 'ABC' } },
  scopeProbes: [],
  balance: { path: '/left/', field: 'left' },
  outOfCredits: { statuses: [402], members: [], phrases: [] },
  endpoints: [
    {
      id: 'quote',
      path: '/quote/',
      category: 'quotes',
      summary: 'The price of one share.',
      parameters: [{ name: 'symbol', type: 'text', required: true, pattern: '[A-Z]{1,5}', maxLength: 5, personal: false }],
      credits: 3,
      chargedStatuses: [200],
      lifetimeSeconds: 60,
      paging: { scheme: 'none' },
      personal: [],
      shape: { price: 'number' },
    },
  ],
};

describe('keys of a second upstream', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let provider: Server;
  let vault: RunningVault;
  const asked: string[] = [];
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-second-'));

  beforeAll(async () => {
    provider = createServer(({ url, headers }, response) => {
      asked.push(`${headers['api-token'] as string} ${url}`);
      const body = headers['api-token'] === 'a-key-of-quotes' ? [200, '{"price":1,"left":5000}'] : [401, '{}'];
      response.writeHead(body[0] as number, { 'content-type': 'application/json' }).end(body[1]);
    });
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    const file = join(dataDir, 'quotes.json');
    writeFileSync(file, JSON.stringify(QUOTES));
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    const environment = { WEIR_CATALOGS: file, WEIR_UPSTREAM_URLS: `quotes=http://127.0.0.1:${(provider.address() as AddressInfo).port}` };
    vault = await startVault({ database, upstreamUrl: simulator.url, dataDir, environment });
  }, 60_000);
  afterAll(async () => {
    await vault.stop();
    await simulator.close();
    await new Promise((resolve) => provider.close(resolve));
    await database.drop();
    rmSync(dataDir, { recursive: true });
  }, 60_000);

  it('are tried there, in its own way, and are told to the fetchers as its keys', async () => {
    const good = await vault.request('POST', '/v1/upstream-keys', { key: 'a-key-of-quotes', upstream: 'quotes' });
    expect([good.status, good.body]).toEqual([201, expect.objectContaining({ upstream: 'quotes', state: 'usable', activeVersion: 1 })]);
    expect(asked).toEqual(expect.arrayContaining(['a-key-of-quotes /quote/?symbol=ABC', 'a-key-of-quotes /left/']));
    expect(good.body.lastCheck.checks).toContainEqual(expect.objectContaining({ name: 'rate-ceiling', evidence: expect.stringContaining('600 calls a minute') }));
    await eventually(async () => expect(await stateOf(vault, good.body.id)).toMatchObject({ upstream: 'quotes', status: 'usable' }));
    const bad = await vault.request('POST', '/v1/upstream-keys', { key: 'an-unknown-key', upstream: 'quotes' });
    expect([bad.status, bad.body.state]).toEqual([201, 'invalid']);
  });

  it('cannot be of one that is not configured', async () => {
    const answer = await vault.request('POST', '/v1/upstream-keys', { key: 'a-key-of-none', upstream: 'none' });
    expect([answer.status, answer.body.code]).toEqual([400, 'unknown-upstream']);
  });
});

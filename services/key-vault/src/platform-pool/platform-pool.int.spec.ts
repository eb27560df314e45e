import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { DEMAND_TOPIC, eventsTopic } from '@weir/contracts';
import { newUuid } from '@weir/kernel';
import { freshDatabase, freshPrefix, servers, type TestDatabase } from '@weir/testing';
import { startSimulator, type Key, type Simulator } from '@weir/tiklive-simulator';
import { Client } from 'pg';
import { newSecret, stateOf, until } from '../testing/observations';
import { startVault, type RunningVault } from '../testing/running-vault';

// the endpoint asks for a signature and not for whose
process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';
process.env['AWS_REGION'] ??= 'us-east-1';
process.env['AWS_ENDPOINT_URL'] ??= servers().kmsUrl;

let database: TestDatabase;
let admin: Client;
let simulator: Simulator;
let vault: RunningVault;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-'));
const prefix = freshPrefix();
const secrets = new SecretsManagerClient({});
const seeded = newSecret();

const start = () =>
  startVault({
    database,
    upstreamUrl: simulator.url,
    dataDir,
    environment: { WEIR_PLATFORM_KEY_SECRETS: `${prefix}platform-key, ${prefix}empty`, WEIR_BALANCE_EVERY_MS: '200' },
  });

function known(secret: string, options: Partial<Key> = {}): string {
  simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 500, scopes: [], suspended: false, ...options });
  return secret;
}

beforeAll(async () => {
  database = await freshDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  simulator = await startSimulator();
  known(seeded);
  await secrets.send(new CreateSecretCommand({ Name: `${prefix}platform-key`, SecretString: JSON.stringify({ key: seeded, label: 'first', weight: 3 }) }));
  vault = await start();
}, 60_000);
afterAll(async () => {
  await vault.stop();
  await simulator.close();
  await admin.end();
  await database.drop();
  secrets.destroy();
  rmSync(dataDir, { recursive: true });
});

const list = async () => (await vault.request('GET', '/v1/upstream-keys')).body.data;

describe("the platform's keys", () => {
  it('are handed in at the first boot from Secrets Manager, and at no later one; the secret is told nowhere', async () => {
    await until(async () => (await list())[0]?.state === 'usable');
    expect(await list()).toMatchObject([{ label: 'first', weight: 3, last4: seeded.slice(-4) }]);
    await vault.stop();
    vault = await start();
    await vault.request('GET', '/v1/upstream-keys');
    expect(await list()).toHaveLength(1);
    expect(vault.logged()).not.toContain(seeded);
  }, 20_000);

  it('are weighed when they are handed in and later, and fetchers hear of it', async () => {
    const { body } = await vault.request('POST', '/v1/upstream-keys', { key: known(newSecret()), label: 'second', weight: 0.5 });
    expect(body).toMatchObject({ weight: 0.5, state: 'usable' });
    await until(async () => (await stateOf(vault, body.id))?.weight === 0.5);
    expect((await vault.request('PATCH', `/v1/upstream-keys/${body.id}`, { weight: 2 })).body).toMatchObject({ weight: 2 });
    await until(async () => (await stateOf(vault, body.id))?.weight === 2);
    expect((await vault.request('PATCH', `/v1/upstream-keys/${body.id}`, { weight: 0 })).status).toBe(400);
  });

  it('say in a drill which tenants a quarantine touched, and to which keys their calls moved', async () => {
    const register = async (label: string) => (await vault.request('POST', '/v1/upstream-keys', { key: known(newSecret()), label })).body.id as string;
    const [bad, good] = [await register('bad'), await register('good')];
    const minute = Math.floor(Date.now() / 60_000) * 60_000;
    const used = (keyId: string, tenantId: string, at: number, admitted = 5) => ({
      topic: DEMAND_TOPIC,
      key: keyId,
      value: Buffer.from(JSON.stringify({ eventId: newUuid(), keyId, tenantId, minute: at, admitted, refused: {}, promised: 0, waited: 0, waitedMs: 0, longestWaitMs: 0, shadow: {} })),
      headers: { 'content-type': 'application/json' },
    });
    const [moved, silent, longAgo, refused] = ['ten_moved', 'ten_silent', 'ten_longago', 'ten_refused'];
    await vault.request('POST', `/v1/upstream-keys/${bad}/quarantine`, { because: 'a drill' });
    const records = [
      used(bad, moved!, minute - 120_000),
      used(bad, silent!, minute - 60_000),
      used(bad, longAgo!, minute - 48 * 3_600_000),
      used(bad, refused!, minute, 0),
      used(good, moved!, minute),
      used('key_of_a_tenant', silent!, minute),
    ];
    // delivered twice and out of order, it says the same
    await vault.bus.publish([...records, ...[...records].reverse()]);
    await until(async () => (await vault.request('GET', `/v1/upstream-keys/${bad}/touched`)).body.tenants.length === 2);
    await until(async () => (await vault.request('GET', `/v1/upstream-keys/${bad}/touched`)).body.tenants[1].movedTo.length === 1);
    const { body } = await vault.request('GET', `/v1/upstream-keys/${bad}/touched`);
    expect(body).toMatchObject({
      key: { id: bad, label: 'bad', state: 'quarantined' },
      tenants: [
        { tenantId: silent, movedTo: [] },
        { tenantId: moved, lastUsedAt: new Date(minute - 120_000).toISOString(), movedTo: [{ keyId: good }] },
      ],
    });
    expect(body.rest.map(({ id }: { id: string }) => id)).toContain(good);
    expect(body.rest.map(({ id }: { id: string }) => id)).not.toContain(bad);
    expect((await vault.request('GET', `/v1/upstream-keys/${bad}/touched?hours=72`)).body.tenants).toHaveLength(3);
  });

  it('say the credits left and on which day they end; before that day comes an event, once', async () => {
    const secret = known(newSecret(), { credits: 10_000 });
    const { body } = await vault.request('POST', '/v1/upstream-keys', { key: secret });
    const credits = async () => (await vault.request('GET', `/v1/upstream-keys/${body.id}/credits`)).body;
    await until(async () => (await credits()).left !== null);
    expect(await credits()).toMatchObject({ perDay: null, endsAt: null });
    // as it would have been said an hour ago
    const { left } = await credits();
    await admin.query('insert into weir_key_vault.platform_key_balances (key_id, at, credits) values ($1, $2, $3)', [body.id, Date.now() - 3_600_000, left + 500]);
    const alerts = async () =>
      (await vault.records(eventsTopic('upstream-key'))).filter(({ headers, value }) => headers['ce_type'] === 'upstream-key.credits-forecast' && String(value).includes(body.id));
    await until(async () => (await alerts()).length > 0);
    const forecast = await credits();
    expect(forecast.perDay).toBeGreaterThan(11_000);
    expect(forecast.perDay).toBeLessThanOrEqual(12_000);
    expect(Date.parse(forecast.endsAt) - Date.now()).toBeLessThan(86_400_000);
    const metrics = await (await fetch(`${vault.managementUrl}/metrics`)).text();
    const gauge = (name: string) => Number(new RegExp(`^${name}\\{key="${body.id}"\\} (\\S+)$`, 'm').exec(metrics)?.[1]);
    expect(gauge('weir_platform_key_credits_left')).toBe(forecast.left);
    expect(gauge('weir_platform_key_credits_end_seconds')).toBeLessThan(86_400);
    expect(gauge('weir_platform_key_credits_end_seconds')).toBeGreaterThan(0);
    // several looks later it has been said once
    const asked = forecast.askedAt;
    await until(async () => (await credits()).askedAt > asked);
    expect(await alerts()).toHaveLength(1);
  });
});

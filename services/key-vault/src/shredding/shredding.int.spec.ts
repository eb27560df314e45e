import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventsTopic, stateTopic, upstreamKeyState } from '@weir/contracts';
import { createEnvelope, fileShredKeys, localKeyEncryption, openUpstreamKey, shreddable } from '@weir/envelope';
import { newUuid, type TenantId } from '@weir/kernel';
import { schemaOf } from '@weir/tenancy';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { Client } from 'pg';
import { newSecret, stateOf, until } from '../testing/observations';
import { startVault, type RunningVault } from '../testing/running-vault';

let database: TestDatabase;
let admin: Client;
let simulator: Simulator;
let vault: RunningVault;
const dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-'));

beforeAll(async () => {
  database = await freshDatabase();
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  simulator = await startSimulator();
  vault = await startVault({ database, upstreamUrl: simulator.url, dataDir });
}, 60_000);
afterAll(async () => {
  await vault.stop();
  await simulator.close();
  await admin.end();
  await database.drop();
  rmSync(dataDir, { recursive: true });
});

async function registered() {
  const secret = newSecret();
  simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 500, scopes: [], suspended: false });
  const { id: tenant, token } = await vault.newTenant();
  const keys = `/v1/tenants/${tenant}/upstream-keys`;
  const { body } = await vault.request('POST', keys, { key: secret });
  await until(async () => (await stateOf(vault, body.id))?.active === 1);
  return { secret, tenant, token, keys, id: body.id as string };
}

/** All that the database has of a tenant's keys, as a dump would. */
async function dump(tenant: TenantId) {
  const tables = ['data_keys', 'upstream_key_blobs', 'upstream_keys'];
  const rows: Record<string, unknown>[][] = [];
  for (const table of tables) rows.push((await admin.query(`select * from ${schemaOf(tenant)}.${table}`)).rows);
  return {
    restore: async () => {
      for (const [index, table] of tables.entries()) {
        await admin.query(`delete from ${schemaOf(tenant)}.${table}`);
        for (const row of rows[index] ?? []) {
          const columns = Object.keys(row);
          await admin.query(`insert into ${schemaOf(tenant)}.${table} (${columns.join()}) values (${columns.map((_, i) => `$${i + 1}`).join()})`, Object.values(row));
        }
      }
    },
  };
}

const envelopeOfAFetcher = () =>
  createEnvelope({
    keyEncryption: shreddable(localKeyEncryption({ keyFile: join(dataDir, 'key-encryption.key') }), fileShredKeys({ directory: join(dataDir, 'shred-keys') })),
    dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 1_000 },
  });

describe('a tenant whose keys are shredded', () => {
  it("V12 has none any more, with a receipt; yesterday's backup of the database and of the topic, restored, stays unreadable", async () => {
    const { secret, tenant, keys, id } = await registered();
    const yesterday = await dump(tenant);
    const record = (await stateOf(vault, id))!;
    const before = envelopeOfAFetcher();
    expect((await openUpstreamKey(before, record, record.versions[0]!)).toString()).toBe(secret);
    before.close();
    const neighbour = await registered();

    const receipt = await vault.request('POST', `${keys}/shred`);
    expect(receipt).toMatchObject({ status: 200, body: { tenantId: tenant, keys: 1, dataKeys: 1, shredKey: { kept: 'file', destroyed: true } } });
    expect((await vault.request('GET', keys)).body.data).toEqual([]);
    await until(async () => (await stateOf(vault, id)) === undefined);
    await until(async () => (await vault.records(eventsTopic('upstream-key'))).some(({ headers, value }) => headers['ce_type'] === 'upstream-keys.shredded' && String(value).includes(tenant)));

    // the topic's record of before, in the hand of a fetcher with the key-encryption key
    const after = envelopeOfAFetcher();
    await expect(openUpstreamKey(after, record, record.versions[0]!)).rejects.toMatchObject({ code: 'key-shredded' });
    // the database of before, under a vault that has forgotten nothing else; its log too says that the key is there
    await yesterday.restore();
    const { rows } = await admin.query(`select d.kek_id, d.wrapped, d.version, b.sealed from ${schemaOf(tenant)}.upstream_key_blobs b join ${schemaOf(tenant)}.data_keys d on d.version = b.data_key_version`);
    expect(rows).toHaveLength(1);
    const place = { tenantId: tenant, keyId: id, version: 1, purpose: 'upstream-key' };
    await expect(after.open(rows[0].sealed, { ...place, dataKey: { tenantId: tenant, purpose: 'upstream-key', version: 1, kekId: rows[0].kek_id, wrapped: rows[0].wrapped } })).rejects.toMatchObject({ code: 'key-shredded' });
    after.close();

    // nobody else's went with it
    expect((await vault.request('POST', `${neighbour.keys}/${neighbour.id}/check`)).body).toMatchObject({ state: 'usable' });
  });

  it('may hand in a key again, under keys that the old backup knows nothing of', async () => {
    const { tenant, keys } = await registered();
    await vault.request('POST', `${keys}/shred`);
    const again = newSecret();
    simulator.keys.set({ key: again, credits: null, perMinute: null, burst: 500, scopes: [], suspended: false });
    expect((await vault.request('POST', keys, { key: again })).body).toMatchObject({ state: 'usable' });
    const { rows } = await admin.query(`select version, destroyed_at is null as usable from ${schemaOf(tenant)}.data_keys order by version`);
    expect(rows).toEqual([{ version: 1, usable: false }, { version: 2, usable: true }]);
  });

  it('is shredded once more without harm, and by an operator alone', async () => {
    const { keys, token } = await registered();
    expect((await vault.request('POST', `${keys}/shred`, undefined, { authorization: `Bearer ${token}` })).status).toBe(403);
    await vault.request('POST', `${keys}/shred`);
    expect((await vault.request('POST', `${keys}/shred`)).body).toMatchObject({ keys: 0, dataKeys: 0, shredKey: { destroyed: false } });
  });
});

describe('an installation without shred keys', () => {
  it('shreds nothing and says why, since nothing it could destroy is missing from the backups; keys are used and removed as ever', async () => {
    const without = await startVault({ database, upstreamUrl: simulator.url, dataDir: mkdtempSync(join(dataDir, 'without-')), environment: { WEIR_SHRED_KEYS: 'none', WEIR_ROLES: 'http' } });
    try {
      const secret = newSecret();
      simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 500, scopes: [], suspended: false });
      const { id: tenant } = await without.newTenant();
      const keys = `/v1/tenants/${tenant}/upstream-keys`;
      const { body } = await without.request('POST', keys, { key: secret });
      expect(body).toMatchObject({ state: 'usable' });
      expect(await without.request('POST', `${keys}/shred`)).toMatchObject({ status: 409, body: { code: 'no-shred-keys' } });
      expect((await without.request('POST', `${keys}/${body.id}/check`)).body).toMatchObject({ state: 'usable' });
      expect((await without.request('DELETE', `${keys}/${body.id}`)).status).toBe(204);
      const { rows } = await admin.query(`select count(*)::int as n from ${schemaOf(tenant)}.upstream_key_blobs`);
      expect(rows).toEqual([{ n: 0 }]);
    } finally {
      await without.stop();
    }
  });
});

describe('a purge', () => {
  it('V12 shreds what was sealed for the tenant, also when its schema is gone already', async () => {
    const { tenant, id } = await registered();
    const record = upstreamKeyState.schema.parse(JSON.parse(String((await vault.records(stateTopic('upstream-key'))).filter(({ key, value }) => key === id && value !== null).at(-1)?.value)));
    await admin.query(`delete from weir.placements where tenant_id = $1`, [tenant]);
    await vault.bus.publish([
      {
        topic: eventsTopic('tenant'),
        key: `ten_platform/provisioning/${tenant}`,
        value: Buffer.from(JSON.stringify({ tenantId: tenant, position: 3, chainHash: 'ab' })),
        headers: { 'content-type': 'application/json', ce_type: 'tenant.purge-started', ce_id: newUuid(), ce_time: new Date().toISOString() },
      },
    ]);
    await until(async () => (await vault.records(eventsTopic('upstream-key'))).some(({ headers, value }) => headers['ce_type'] === 'upstream-keys.shredded' && String(value).includes(tenant)));
    const envelope = envelopeOfAFetcher();
    await expect(openUpstreamKey(envelope, record, record.versions[0]!)).rejects.toMatchObject({ code: 'key-shredded' });
    envelope.close();
  });
});

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { eventsTopic } from '@weir/contracts';
import { createEnvelope, fileShredKeys, localKeyEncryption, openUpstreamKey, shreddable } from '@weir/envelope';
import { PLATFORM, newId, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, exportTenant, importer, schemaOf, type ArchiveHead } from '@weir/tenancy';
import { eventually, freshDatabase, freshPrefix, servers, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { Client, type Pool } from 'pg';
import { newSecret, stateOf } from '../testing/observations';
import { startVault, type RunningVault } from '../testing/running-vault';

// the endpoint asks for a signature and not for whose
process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';
process.env['AWS_REGION'] ??= 'us-east-1';
process.env['AWS_ENDPOINT_URL'] ??= servers().kmsUrl;

interface Installation {
  readonly database: TestDatabase;
  readonly dataDir: string;
  readonly pool: Pool;
  readonly vault: RunningVault;
}

const kms = new KMSClient({});
const transferKey = `weir-transfer-key-v1:${randomBytes(32).toString('hex')}`;
const installations: Installation[] = [];
let simulator: Simulator;
/** Small and on one machine; in AWS; and another of those. */
let local: Installation;
let aws: Installation;
let otherAws: Installation;

async function install(environment: Record<string, string> = {}): Promise<Installation> {
  const database = await freshDatabase();
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-vault-'));
  const vault = await startVault({ database, upstreamUrl: simulator.url, dataDir, environment });
  const one = { database, dataDir, vault, pool: createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 2 }) };
  installations.push(one);
  return one;
}

const newKmsKey = async () => (await kms.send(new CreateKeyCommand({}))).KeyMetadata!;
const inAws = async () => install({ WEIR_KEY_ENCRYPTION: 'kms', WEIR_KMS_KEY_ID: (await newKmsKey()).KeyId!, WEIR_SHRED_KEY_PREFIX: freshPrefix() });

beforeAll(async () => {
  simulator = await startSimulator();
  [local, aws, otherAws] = await Promise.all([install(), inAws(), inAws()]);
}, 60_000);
afterAll(async () => {
  for (const { vault, pool, database, dataDir } of installations) {
    await vault.stop();
    await pool.end();
    await database.drop();
    rmSync(dataDir, { recursive: true });
  }
  await simulator.close();
  kms.destroy();
}, 60_000);

async function tenantOf({ vault }: Installation) {
  const secret = newSecret();
  simulator.keys.set({ key: secret, credits: null, perMinute: null, burst: 500, scopes: [], suspended: false });
  const { id: tenant, token } = await vault.newTenant();
  const keys = `/v1/tenants/${tenant}/upstream-keys`;
  const { body } = await vault.request('POST', keys, { key: secret });
  return { secret, tenant, token, keys, id: body.id as string };
}

/** As the registry does it: out of one database and into the other. */
async function moveArchive(from: Installation, to: Installation, tenant: TenantId): Promise<Buffer> {
  const incoming = importer(to.pool, collectBundle());
  const pieces: Buffer[] = [];
  for await (const piece of exportTenant(from.pool, tenant, {}, 0)) {
    pieces.push(piece);
    const said = JSON.parse(piece.subarray(0, piece.indexOf(0x0a)).toString());
    if (said.manifest !== undefined) await incoming.complete(tenant, said.manifest);
    else if (said.part === undefined) await incoming.begin(said as ArchiveHead);
    else await incoming.add(tenant, piece);
  }
  return Buffer.concat(pieces);
}

const handOver = ({ vault }: Installation, keys: string, to: object) => vault.request('POST', `${keys}/hand-over`, to);
const takeOver = ({ vault }: Installation, keys: string, body: object) => vault.request('POST', `${keys}/take-over`, body);
const check = ({ vault }: Installation, keys: string, id: string) => vault.request('POST', `${keys}/${id}/check`);
const kmsKeyOf = async ({ vault }: Installation, tenant: TenantId, id: string) => (await stateOf(vault, id))?.versions[0]?.dataKey.kekId ?? tenant;

it('an archive alone carries no key that opens: where it is taken in the upstream key is unreadable until it is handed in anew', async () => {
  const { tenant, keys, id, secret } = await tenantOf(local);
  const archive = await moveArchive(local, aws, tenant);
  expect(archive.includes(secret)).toBe(false);
  expect(await check(aws, keys, id)).toMatchObject({ status: 424, body: { code: 'key-shredded' } });
  const again = await aws.vault.request('POST', `${keys}/${id}/versions`, { key: secret });
  expect(again.body).toMatchObject({ state: 'usable', lastCheck: { outcome: 'accepted' } });
}, 20_000);

it('with a package for a transfer key the upstream key opens in the other installation, sealed under keys of that one alone', async () => {
  const { tenant, keys, id, token } = await tenantOf(local);
  const handed = await handOver(local, keys, { transferKey });
  expect(handed).toMatchObject({ status: 200, body: { format: 'weir-key-package/1', tenantId: tenant, dataKeys: [{ version: 1 }] } });
  await moveArchive(local, aws, tenant);

  const other = `weir-transfer-key-v1:${randomBytes(32).toString('hex')}`;
  expect((await takeOver(aws, keys, { keys: handed.body, transferKey: other })).status).toBe(503);
  expect(await takeOver(aws, keys, { keys: handed.body })).toMatchObject({ status: 400, body: { code: 'bad-transfer-key' } });
  const stranger = await tenantOf(aws);
  expect(await takeOver(aws, stranger.keys, { keys: handed.body, transferKey })).toMatchObject({ status: 400, body: { code: 'other-tenants-keys' } });

  expect(await takeOver(aws, keys, { keys: handed.body, transferKey })).toMatchObject({ status: 200, body: { tenantId: tenant, secrets: 1, unreadable: 0 } });
  expect((await check(aws, keys, id)).body).toMatchObject({ state: 'usable', lastCheck: { outcome: 'accepted' } });
  // the answer was lost, and it is asked for again
  expect(await takeOver(aws, keys, { keys: handed.body, transferKey })).toMatchObject({ status: 200, body: { secrets: 0, unreadable: 0 } });
  const { rows } = await onceIn(aws, `select version, kek_id, octet_length(wrapped) = 0 as destroyed from ${schemaOf(tenant)}.data_keys order by version`);
  expect(rows).toMatchObject([{ version: 1, destroyed: true }, { version: 2, destroyed: false, kek_id: expect.stringMatching(/^arn:/) }]);

  // only operators, on either side, and on the record of the tenant
  const asTenant = { authorization: `Bearer ${token}` };
  expect((await local.vault.request('POST', `${keys}/hand-over`, { transferKey }, asTenant)).status).toBe(403);
  await eventually(async () => {
    const types = (await local.vault.records(eventsTopic('upstream-key'))).filter(({ value }) => String(value).includes(tenant)).map(({ headers }) => headers['ce_type']);
    expect(types).toContain('upstream-keys.handed-over');
  });
  expect(local.vault.logged() + aws.vault.logged()).not.toContain(transferKey.slice(-64));
}, 20_000);

it('between two installations in AWS the data key is wrapped by ReEncrypt, for the KMS key of the other', async () => {
  const { tenant, keys, id } = await tenantOf(aws);
  const theirs = await newKmsKey();
  const handed = await handOver(aws, keys, { kmsKeyId: theirs.Arn });
  expect(handed.body).toMatchObject({ recipient: theirs.Arn });
  await moveArchive(aws, otherAws, tenant);
  expect(await takeOver(otherAws, keys, { keys: handed.body })).toMatchObject({ status: 200, body: { secrets: 1, unreadable: 0 } });
  expect((await check(otherAws, keys, id)).body).toMatchObject({ state: 'usable' });
  await eventually(async () => expect(await kmsKeyOf(otherAws, tenant, id)).not.toBe(await kmsKeyOf(aws, tenant, id)));
}, 20_000);

it('V12 once the tenant is shredded its old archive opens nowhere, and none can be made that does; what was handed over before is the recipient\'s', async () => {
  const { tenant, keys, id, secret } = await tenantOf(local);
  const before = (await eventually(async () => {
    const said = await stateOf(local.vault, id);
    expect(said?.active).toBe(1);
    return said;
  }))!;
  const handed = await handOver(local, keys, { transferKey });
  await moveArchive(local, aws, tenant);
  await local.vault.request('POST', `${keys}/shred`);

  // the archive's rows, with the key file in hand
  const envelope = createEnvelope({
    keyEncryption: shreddable(localKeyEncryption({ keyFile: join(local.dataDir, 'key-encryption.key') }), fileShredKeys({ directory: join(local.dataDir, 'shred-keys') })),
    dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 100 },
  });
  await expect(openUpstreamKey(envelope, before, before.versions[0]!)).rejects.toMatchObject({ code: 'key-shredded' });
  envelope.close();
  expect((await check(aws, keys, id)).status).toBe(424);
  expect((await handOver(local, keys, { transferKey })).body).toMatchObject({ dataKeys: [] });

  expect(await takeOver(aws, keys, { keys: handed.body, transferKey })).toMatchObject({ status: 200, body: { secrets: 1 } });
  expect((await check(aws, keys, id)).body).toMatchObject({ state: 'usable' });
  expect(JSON.stringify(handed.body)).not.toContain(secret);
}, 20_000);

it('a tenant that was taken in without its keys is named by the next rotation, and holds it up for nobody', async () => {
  const { tenant, keys, id } = await tenantOf(local);
  await moveArchive(local, otherAws, tenant);
  const { body } = await otherAws.vault.request('POST', '/v1/key-rotations', {});
  const { report } = await eventually(async () => {
    const { body: now } = await otherAws.vault.request('GET', `/v1/key-rotations/${body.id}`);
    expect(now.status).toBe('finished');
    return now;
  });
  expect(report).toMatchObject({ complete: false, totals: { unreadable: 1 } });
  expect(report.tenants.find((one: { tenantId: string }) => one.tenantId === tenant).unreadable).toEqual([{ keyId: id, version: 1 }]);
  // the package is as good after as before
  const handed = await handOver(local, keys, { transferKey });
  expect(await takeOver(otherAws, keys, { keys: handed.body, transferKey })).toMatchObject({ body: { secrets: 1, unreadable: 0 } });
  expect((await check(otherAws, keys, id)).body).toMatchObject({ state: 'usable' });
}, 20_000);

it('a package that is none, and a KMS key where there is no KMS, are refused without a word of what was sent', async () => {
  const { keys } = await tenantOf(local);
  const kmsKey = await newKmsKey();
  expect(await handOver(local, keys, { kmsKeyId: kmsKey.Arn })).toMatchObject({ status: 409, body: { code: 'no-kms' } });
  const bad = await handOver(local, keys, { transferKey: 'my-own-key-of-no-form' });
  expect(bad.status).toBe(400);
  expect(bad.text).not.toContain('my-own-key');
  expect((await takeOver(local, keys, { keys: { format: 'weir-key-package/1', tenantId: newId('ten') }, transferKey })).status).toBe(400);
  expect((await handOver(local, `/v1/tenants/${PLATFORM}/upstream-keys`, { transferKey })).status).toBe(404);
}, 20_000);

async function onceIn({ database }: Installation, statement: string) {
  const client = new Client({ connectionString: database.adminUrl });
  await client.connect();
  try {
    return await client.query(statement);
  } finally {
    await client.end();
  }
}

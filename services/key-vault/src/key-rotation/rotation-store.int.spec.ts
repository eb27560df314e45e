import { newId, type OperationId, type TenantId } from '@weir/kernel';
import { eventually } from '@weir/testing';
import { vaultDatabase, type VaultDatabase } from '../testing/vault-database';
import { ReportSigner, signedBy } from './report-signer';
import { PARTS, type Found, type Rotation } from './rotation';
import { RotationStore } from './rotation-store';

let database: VaultDatabase;
let tenants: TenantId[];
beforeAll(async () => {
  database = await vaultDatabase();
  tenants = [await database.newTenant(), await database.newTenant(), await database.newTenant()].sort();
}, 60_000);
afterAll(() => database.close());

/** Two processes, of which a turn is long enough for a slow machine. */
const open = (turnMs = 60_000) => new RotationStore(database.work, turnMs);
const found: Found = { countedAt: '2026-11-24T12:00:00.000Z', kekId: 'kek', blobs: [], leftUnderOld: 0, unreadable: [] };

async function begun(tenant: TenantId | null = null): Promise<{ id: OperationId; rotation: Rotation }> {
  const id = newId('op');
  await open().add(id, PARTS, tenant);
  await open().begin(id, 'kek');
  await open().enlist(id);
  return { id, rotation: { id, of: PARTS, tenantId: tenant, kekId: 'kek', startedAt: found.countedAt } };
}
const takeAll = async (id: OperationId, ...stores: RotationStore[]) => (await Promise.all(Array.from({ length: 8 }, (_, i) => stores[i % stores.length]!.take(id)))).filter((tenant) => tenant !== undefined);

describe('the turns of a rotation', () => {
  it('are taken by one process each, of several that look at once', async () => {
    const { id } = await begun();
    const taken = await takeAll(id, open(), open());
    // the platform has a turn too
    expect([...taken].sort()).toEqual([...new Set(taken)].sort());
    expect(taken).toEqual(expect.arrayContaining(tenants));
    expect(await open().take(id)).toBeUndefined();
  });

  it('V8 come again when their process died in them', async () => {
    const { id } = await begun(tenants[0]);
    expect(await open(1).take(id)).toBe(tenants[0]);
    await eventually(async () => expect(await open().take(id)).toBe(tenants[0]));
  });

  it('of one tenant are its own alone, and stay so when more are enlisted', async () => {
    const { id } = await begun(tenants[1]);
    expect(await open().enlist(id)).toBe(0);
    expect(await takeAll(id, open())).toEqual([tenants[1]]);
  });

  it('of a tenant that has no placement any more are had all the same: nobody waits for it for ever', async () => {
    const { id, rotation } = await begun(newId('ten'));
    const [taken] = await takeAll(id, open());
    await open().done({ rotation, tenant: taken! }, null);
    expect(await open().findings(id)).toMatchObject({ tenants: [] });
  });

  it('that fail wait and come again, with what was wrong in the view', async () => {
    const { id, rotation } = await begun(tenants[2]);
    await open().take(id);
    await open().failed({ rotation, tenant: tenants[2]! }, 'key-encryption-refused: no');
    expect((await open().get(id))?.troubles).toEqual([{ tenantId: tenants[2], tries: 1, error: 'key-encryption-refused: no' }]);
    expect(await open().take(id)).toBeUndefined();
    await eventually(async () => expect(await open().take(id)).toBe(tenants[2]));
    await open().done({ rotation, tenant: tenants[2]! }, found);
    expect((await open().get(id))?.troubles).toEqual([]);
  });

  it('are found together when all are done, and not before; what was said first of one stays', async () => {
    const { id, rotation } = await begun();
    const taken = await takeAll(id, open());
    for (const tenant of taken.slice(1)) await open().done({ rotation, tenant }, found);
    expect(await open().findings(id)).toBeUndefined();
    await open().done({ rotation, tenant: taken[0]! }, { ...found, leftUnderOld: 3 });
    await open().done({ rotation, tenant: taken[0]! }, found);
    const all = await open().findings(id);
    expect(all?.tenants.map(({ tenantId }) => tenantId)).toEqual([...taken].sort());
    expect(all?.tenants.find(({ tenantId }) => tenantId === taken[0])?.leftUnderOld).toBe(3);
  });
});

describe('a rotation', () => {
  it('ends under the key-encryption key that was said first', async () => {
    const { id } = await begun();
    await open().begin(id, 'another');
    expect((await open().get(id))?.kekId).toBe('kek');
  });

  it('is on record once, and is open until its old keys are retired', async () => {
    const { id } = await begun(tenants[0]);
    await open().add(id, ['data-keys'], null);
    expect(await open().get(id)).toMatchObject({ of: PARTS, tenantId: tenants[0] });
    await open().finish(id, found.countedAt, '{}', Buffer.from('signature'));
    await open().finish(id, found.countedAt, '{"other":1}', Buffer.from('other'));
    expect(await open().get(id)).toMatchObject({ report: '{}', finishedAt: found.countedAt, retiredAt: null });
    expect((await open().open()).map((one) => one.id)).toContain(id);
    await open().retired(id);
    expect((await open().open()).map((one) => one.id)).not.toContain(id);
    expect((await open().list(1)).map((one) => one.id)).toHaveLength(1);
  });
});

describe('the key that signs reports', () => {
  const signer = () => new ReportSigner(database.work, database.newEnvelope());

  it('is made once, by however many ask first, and is sealed: the database alone signs nothing', async () => {
    const keys = await Promise.all(Array.from({ length: 4 }, () => signer().publicKey()));
    expect(new Set(keys).size).toBe(1);
    const { rows } = await database.admin.query('select sealed from weir_key_vault.report_signers');
    expect(rows).toHaveLength(1);
    // PKCS#8 begins so
    expect(rows[0].sealed.includes(Buffer.from('302e020100300506032b6570', 'hex'))).toBe(false);
  });

  it('signs what it is given and nothing that was altered, the same before and after its data key was wrapped anew', async () => {
    const [publicKey, before] = [await signer().publicKey(), await signer().sign('{"complete":true}')];
    expect(signedBy(publicKey, '{"complete":true}', before)).toBe(true);
    expect(signedBy(publicKey, '{"complete":false}', before)).toBe(false);
    for (let bit = 0; bit < 64; bit += 7) expect(signedBy(publicKey, '{"complete":true}', Buffer.from(before).fill(before[bit]! ^ 1, bit, bit + 1))).toBe(false);
    const wrapped = async () => (await database.admin.query('select wrapped from weir_key_vault.report_signers')).rows[0].wrapped as Buffer;
    const old = await wrapped();
    await signer().rewrap();
    expect((await wrapped()).equals(old)).toBe(false);
    expect(await signer().publicKey()).toBe(publicKey);
    expect(await signer().sign('{"complete":true}')).toEqual(before);
  });
});

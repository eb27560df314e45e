import type { Envelope } from '@weir/envelope';
import { upstreamKeyContext } from '@weir/envelope';
import { newId, type KeyId, type TenantId } from '@weir/kernel';
import { schemaOf } from '@weir/tenancy';
import { vaultDatabase, type VaultDatabase } from '../testing/vault-database';
import { DataKeys } from './data-keys';
import { SealedVersions, readSealed, store } from './sealed-versions';

const MAX_SEALS = 5;
let database: VaultDatabase;
let envelope: Envelope;
let dataKeys: DataKeys;
let secrets: SealedVersions;
let tenant: TenantId;

beforeAll(async () => {
  database = await vaultDatabase();
  envelope = database.newEnvelope();
  dataKeys = new DataKeys(database.work, envelope, MAX_SEALS);
  secrets = new SealedVersions(database.work, envelope, dataKeys);
}, 60_000);
afterAll(() => database.close());
beforeEach(async () => void (tenant = await database.newTenant()));

const rows = async () => (await database.admin.query(`select version, seals::int as seals, destroyed_at is null as live from ${schemaOf(tenant)}.data_keys order by version`)).rows;

/** Sealed and stored, as a command does it. */
async function kept(keyId: KeyId, version: number, secret: string): Promise<void> {
  const { sealed } = await secrets.seal({ owner: tenant, keyId, version }, secret);
  await database.work.inTenant(tenant, (sql) => store(sql, tenant, keyId, sealed, Array.from({ length: version }, (_, i) => i + 1)));
}
const opened = (keyId: KeyId, version: number) => secrets.opened({ owner: tenant, keyId, version }, async (secret) => secret.toString());

describe("a tenant's data keys", () => {
  it('are made with the first secret, one for all who come at once', async () => {
    const taken = await Promise.all(Array.from({ length: MAX_SEALS }, () => dataKeys.forSealing(tenant)));
    expect(new Set(taken.map(({ version, wrapped }) => `${version}/${wrapped.toString('hex')}`)).size).toBe(1);
    expect(await rows()).toEqual([{ version: 1, seals: MAX_SEALS, live: true }]);
  });

  it('V3 seal their number and no more, however many ask at once; the next takes over', async () => {
    const taken = await Promise.all(Array.from({ length: 3 * MAX_SEALS }, () => dataKeys.forSealing(tenant)));
    const uses = new Map<number, number>();
    for (const { version } of taken) uses.set(version, (uses.get(version) ?? 0) + 1);
    expect([...uses].sort()).toEqual([[1, MAX_SEALS], [2, MAX_SEALS], [3, MAX_SEALS]]);
  });

  it('are made once by a rotation, however often and by how many it is carried on', async () => {
    await dataKeys.forSealing(tenant);
    const made = await Promise.all(Array.from({ length: 6 }, () => dataKeys.madeIn('op_a', tenant)));
    expect(new Set(made.map((one) => one?.version))).toEqual(new Set([2]));
    expect((await dataKeys.madeIn('op_b', tenant))?.version).toBe(3);
    expect((await dataKeys.madeIn('op_a', tenant))?.version).toBe(2);
    expect(await dataKeys.madeIn('op_a', await database.newTenant())).toBeUndefined();
  });

  it('take no more secrets once a rotation has made the next: what was being sealed under the old is refused and not lost sight of', async () => {
    const keyId = newId('key');
    await kept(keyId, 1, 'the first secret');
    const { sealed } = await secrets.seal({ owner: tenant, keyId, version: 2 }, 'sealed under the old');
    const renewed = (await dataKeys.madeIn('op_a', tenant))!;
    await expect(database.work.inTenant(tenant, (sql) => store(sql, tenant, keyId, sealed, [1, 2]))).rejects.toMatchObject({ code: 'contended', status: 409 });
    // something is left under the old one: it stays
    expect(await dataKeys.destroyBefore(renewed)).toBe(false);
    expect(await opened(keyId, 1)).toBe('the first secret');
    await kept(keyId, 2, 'sealed under the new');
    await database.work.inTenant(tenant, (sql) => store(sql, tenant, keyId, undefined, [2]));
    expect(await dataKeys.destroyBefore(renewed)).toBe(true);
    expect((await rows()).map(({ version, live }) => [version, live])).toEqual([[1, false], [2, true]]);
    expect(await opened(keyId, 2)).toBe('sealed under the new');
  });

  it('are wrapped anew only where they are as they were read', async () => {
    const before = await dataKeys.forSealing(tenant);
    const [first, second] = [await envelope.rewrapDataKey(before), await envelope.rewrapDataKey(before)];
    const replace = (after: typeof first) => database.work.inTenant(tenant, (sql) => DataKeys.replaceWrapped(sql, before, after, 'op_a'));
    expect(await replace(first)).toBe(true);
    expect(await replace(second)).toBe(false);
    expect((await dataKeys.live(tenant)).map(({ wrapped }) => wrapped)).toEqual([first.wrapped]);
  });

  it('that open nothing more, for their shred key was lost, are passed over: what is handed in anew is sealed under the next', async () => {
    const keyId = newId('key');
    await kept(keyId, 1, 'lost with its shred key');
    await database.shredKeys.destroy(tenant);
    envelope.forgetDataKeys();
    await expect(opened(keyId, 1)).rejects.toMatchObject({ code: 'key-shredded', status: 424 });
    await kept(keyId, 2, 'handed in anew');
    expect(await opened(keyId, 2)).toBe('handed in anew');
    expect((await rows()).map(({ version }) => version)).toEqual([1, 2]);
    // and there it stays, though the old one could be wrapped by nobody
    await kept(keyId, 3, 'and once more');
    expect((await rows()).map(({ version }) => version)).toEqual([1, 2]);
  });
});

describe('a sealed version', () => {
  it('V1 opens in its own row alone: not as another version, not as another key', async () => {
    const [keyId, other] = [newId('key'), newId('key')];
    await kept(keyId, 1, 'the secret');
    const [found] = await database.work.inTenant(tenant, (sql) => readSealed(sql, tenant, keyId, 1));
    const open = (place: { owner: TenantId; keyId: KeyId; version: number }) =>
      envelope.open(found!.sealed, { ...upstreamKeyContext(place), dataKey: found!.dataKey }).then(() => 'opened', (error: { code: string }) => error.code);
    expect(await open({ owner: tenant, keyId, version: 1 })).toBe('opened');
    expect(await open({ owner: tenant, keyId, version: 2 })).toBe('unreadable-secret');
    expect(await open({ owner: tenant, keyId: other, version: 1 })).toBe('unreadable-secret');
    expect(await open({ owner: await database.newTenant(), keyId, version: 1 })).toBe('unreadable-secret');
  });

  it('is gone with the events that say so, and who comes late is told that the key was changed', async () => {
    const keyId = newId('key');
    await kept(keyId, 1, 'one');
    await kept(keyId, 2, 'two');
    await database.work.inTenant(tenant, (sql) => store(sql, tenant, keyId, undefined, [2]));
    await expect(opened(keyId, 1)).rejects.toMatchObject({ code: 'contended' });
    expect(await opened(keyId, 2)).toBe('two');
  });

  it('is in memory in the clear for as long as it is used, also where the use fails', async () => {
    const keyId = newId('key');
    await kept(keyId, 1, 'the secret');
    const seen: Buffer[] = [];
    const place = { owner: tenant, keyId, version: 1 };
    await secrets.opened(place, async (secret) => void seen.push(secret));
    await expect(secrets.opened(place, (secret) => Promise.reject(new Error(String(seen.push(secret)))))).rejects.toThrow('2');
    expect(seen.map((secret) => secret.every((byte) => byte === 0))).toEqual([true, true]);
  });
});

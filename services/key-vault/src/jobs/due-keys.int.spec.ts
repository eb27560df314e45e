import { newId, type KeyId, type TenantId } from '@weir/kernel';
import { vaultDatabase, type VaultDatabase } from '../testing/vault-database';
import { drained, forgetOldSignals, takeRechecks } from './due-keys';

let database: VaultDatabase;
let tenant: TenantId;
let keyId: KeyId;
beforeAll(async () => void (database = await vaultDatabase()), 60_000);
afterAll(() => database.close());
beforeEach(async () => {
  [tenant, keyId] = [newId('ten'), newId('key')];
  await database.admin.query('delete from weir_key_vault.key_rechecks; delete from weir_key_vault.key_drains');
});

const RECHECK_MS = 300_000;
const SIX_HOURS_S = 21_600;
const due = (tries = 0, key: KeyId = keyId) => database.admin.query("insert into weir_key_vault.key_rechecks (tenant_id, key_id, tries, due_at) values ($1, $2, $3, now() - interval '1 second')", [tenant, key, tries]);
/** In seconds from now, to the second or so. */
const nextLook = async () => Number((await database.admin.query('select extract(epoch from due_at - now()) as s from weir_key_vault.key_rechecks where key_id = $1', [keyId])).rows[0].s);

describe('keys that are to be looked at again', () => {
  it.each([
    [0, 600],
    [1, 1_200],
    [2, 2_400],
    [6, SIX_HOURS_S],
    [60, SIX_HOURS_S],
  ])('after %i looks the next is about %i s away, never more than six hours', async (tries, seconds) => {
    await due(tries);
    expect(await takeRechecks(database.work, RECHECK_MS)).toMatchObject([{ owner: tenant, keyId }]);
    const next = await nextLook();
    expect(next).toBeLessThanOrEqual(seconds);
    expect(next).toBeGreaterThan(seconds - 60);
  });

  it('are taken by one process each, however many look at once, and not again before their time', async () => {
    const keys = Array.from({ length: 30 }, () => newId('key'));
    for (const key of keys) await due(0, key);
    const taken = (await Promise.all(Array.from({ length: 6 }, () => takeRechecks(database.work, RECHECK_MS)))).flat();
    expect(taken.map((one) => one.keyId).sort()).toEqual([...keys].sort());
    expect(new Set(taken.map(({ entry }) => entry)).size).toBeGreaterThan(0);
    expect(await takeRechecks(database.work, RECHECK_MS)).toEqual([]);
  });

  it('wait for their time', async () => {
    await database.admin.query("insert into weir_key_vault.key_rechecks (tenant_id, key_id, due_at) values ($1, $2, now() + interval '1 hour')", [tenant, keyId]);
    expect(await takeRechecks(database.work, RECHECK_MS)).toEqual([]);
  });

  it('are named by an entry of that look alone, so that a look that is made twice decides once', async () => {
    await due();
    const [first] = await takeRechecks(database.work, RECHECK_MS);
    await database.admin.query("update weir_key_vault.key_rechecks set due_at = now() - interval '1 second'");
    const [second] = await takeRechecks(database.work, RECHECK_MS);
    expect(first?.entry).not.toBe(second?.entry);
  });
});

describe('versions that have drained', () => {
  const drains = (at: number, key: KeyId = keyId) => database.admin.query('insert into weir_key_vault.key_drains (tenant_id, key_id, drain_until) values ($1, $2, $3)', [tenant, key, at]);

  it('are found from their deadline on, the first due first, as often as they are looked for: nothing is taken that was not destroyed yet', async () => {
    const [later, sooner] = [newId('key'), newId('key')];
    await drains(2_000, later);
    await drains(1_000, sooner);
    expect(await drained(database.work, 999)).toEqual([]);
    expect((await drained(database.work, 1_000)).map((one) => one.keyId)).toEqual([sooner]);
    const both = await drained(database.work, 5_000);
    expect(both.map((one) => one.keyId)).toEqual([sooner, later]);
    expect(await drained(database.work, 5_000)).toEqual(both);
  });
});

it('signals that were judged are remembered for longer than their topic keeps them, and no longer', async () => {
  await database.admin.query("insert into weir_key_vault.signal_inbox (event_id, at) values ('fresh', now()), ('kept', now() - interval '14 days 23 hours'), ('old', now() - interval '15 days 1 hour')");
  await forgetOldSignals(database.work);
  const { rows } = await database.admin.query('select event_id from weir_key_vault.signal_inbox order by event_id');
  expect(rows.map(({ event_id }) => event_id)).toEqual(['fresh', 'kept']);
});

import { newId, type KeyId } from '@weir/kernel';
import { vaultDatabase, type VaultDatabase } from '../testing/vault-database';
import { RefusalStorm } from './refusal-storm';

const KEYS = 5;
const WINDOW_MS = 60_000;
let database: VaultDatabase;
beforeAll(async () => void (database = await vaultDatabase()), 60_000);
afterAll(() => database.close());
beforeEach(() => database.admin.query('delete from weir_key_vault.refused_keys'));

const some = (number: number): KeyId[] => Array.from({ length: number }, () => newId('key'));

function storm(testimony: boolean | undefined) {
  const time = { now: 1_000_000 };
  const [asked, raged]: [number[], number[]] = [[], []];
  const witness = async () => {
    asked.push(time.now);
    return testimony;
  };
  return { time, asked, raged, storm: new RefusalStorm(database.work, { keys: KEYS, windowMs: WINDOW_MS }, witness, (keys) => void raged.push(keys), () => time.now) };
}

describe('F2 refusals of many keys', () => {
  it('are no storm below the bound, and nobody is asked', async () => {
    const { storm: calm, asked, raged } = storm(false);
    await calm.heard(some(KEYS - 1));
    expect(await calm.rages()).toBe(false);
    expect([asked, raged]).toEqual([[], []]);
  });

  it('are counted by key: one that is refused a hundred times is one', async () => {
    const { storm: calm } = storm(false);
    const [one] = some(1);
    for (let i = 0; i < 100; i++) await calm.heard([one!]);
    expect(await calm.rages()).toBe(false);
  });

  it.each([
    ['refuses the witness too', false],
    ['could be asked with no witness', undefined],
  ] as const)('are the upstream\'s own trouble where it %s', async (_, testimony) => {
    const { storm: raging, raged } = storm(testimony);
    await raging.heard(some(KEYS));
    expect(await raging.rages()).toBe(true);
    expect(raged).toEqual([KEYS]);
  });

  it('are what they say where the upstream takes the witness: those keys are bad', async () => {
    const { storm: calm, asked, raged } = storm(true);
    await calm.heard(some(3 * KEYS));
    expect(await calm.rages()).toBe(false);
    expect(asked).toHaveLength(1);
    expect(raged).toEqual([]);
  });

  it('cost the platform one test call a second at most, however many signals ask', async () => {
    const { storm: raging, asked, time } = storm(false);
    await raging.heard(some(KEYS));
    expect(new Set(await Promise.all(Array.from({ length: 30 }, () => raging.rages())))).toEqual(new Set([true]));
    expect(asked).toHaveLength(1);
    time.now += 999;
    await raging.rages();
    expect(asked).toHaveLength(1);
    time.now += 1;
    await raging.rages();
    expect(asked).toHaveLength(2);
  });

  it('are heard by every process together, and forgotten after the window', async () => {
    const [here, there] = [storm(false), storm(false)];
    await here.storm.heard(some(3));
    await there.storm.heard(some(3));
    expect(await here.storm.rages()).toBe(true);
    await database.admin.query(`update weir_key_vault.refused_keys set at = now() - interval '${WINDOW_MS + 1_000} ms'`);
    expect(await there.storm.rages()).toBe(false);
    await here.storm.forgetOld();
    expect((await database.admin.query('select 1 from weir_key_vault.refused_keys')).rows).toEqual([]);
  });

  it('of the same keys heard by two at once hold neither up', async () => {
    const { storm: one } = storm(false);
    const { storm: other } = storm(false);
    const keys = some(50);
    await Promise.all(Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? one.heard(keys) : other.heard([...keys].reverse()))));
    expect((await database.admin.query('select count(*)::int as n from weir_key_vault.refused_keys')).rows).toEqual([{ n: 50 }]);
  });
});

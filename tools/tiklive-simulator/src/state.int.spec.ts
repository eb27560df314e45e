import { appendFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newKey } from './keys';
import { openState, type State } from './state';

const fresh = (): string => join(mkdtempSync(join(tmpdir(), 'simulator-')), 'state.jsonl');
const open = (file: string): Promise<State> => openState(file, 1_000, () => 0);

function call({ keys, ledger }: State, text: string): void {
  const credits = keys.charge(keys.find(text)!, 1);
  ledger.record({ key: text, endpoint: 'userid', credits, status: 200, requestId: null, attempt: null, at: '2026-11-24T12:00:00.000Z' });
}

describe('the state file', () => {
  it('has keys, balances and ledger after a process that ended without a word', async () => {
    const file = fresh();
    const before = await open(file);
    before.keys.set(newKey.parse({ key: 'k', credits: 10, scopes: [] }));
    call(before, 'k');
    call(before, 'k');
    await before.journal.written;

    const after = await open(file);
    expect(after.keys.find('k')).toMatchObject({ credits: 8, scopes: [] });
    expect(after.ledger.page({ limit: 10 }).data).toHaveLength(2);
    expect(after.ledger.totals('k')).toEqual([{ key: 'k', attempts: 2, charged: 2, credits: 2 }]);
  });

  it('is compacted at the start and says the same, start after start', async () => {
    const file = fresh();
    const first = await open(file);
    first.keys.set(newKey.parse({ key: 'k', credits: 10 }));
    first.keys.set(newKey.parse({ key: 'gone' }));
    first.keys.remove('gone');
    for (let i = 0; i < 5; i++) first.keys.set({ ...first.keys.find('k')!, credits: 10 + i });
    call(first, 'k');
    first.journal.close();
    const longer = readFileSync(file, 'utf8').length;

    for (let start = 0; start < 3; start++) {
      const state = await open(file);
      state.journal.close();
      expect(state.keys.list().map(({ key, credits }) => [key, credits])).toEqual([['sim_test_key', null], ['k', 13]]);
      expect(state.ledger.page({ limit: 10 }).data).toHaveLength(1);
    }
    expect(readFileSync(file, 'utf8').length).toBeLessThan(longer);
  });

  it('numbers on after a cleared ledger', async () => {
    const file = fresh();
    const first = await open(file);
    call(first, 'sim_test_key');
    first.ledger.clear();
    first.journal.close();
    const second = await open(file);
    call(second, 'sim_test_key');
    expect(second.ledger.page({ limit: 10 }).data.map(({ seq }) => seq)).toEqual([2]);
  });

  it('may end in half a line, as a crash leaves it, but not hold one in its middle', async () => {
    const file = fresh();
    const first = await open(file);
    call(first, 'sim_test_key');
    first.journal.close();
    appendFileSync(file, '{"t":"call","se');
    expect((await open(file)).ledger.page({ limit: 10 }).data).toHaveLength(1);

    writeFileSync(file, '{"t":"call","se\n{"t":"key"}\n');
    await expect(open(file)).rejects.toThrow(/broken at line 1/);
  });
});

import { Journal } from './journal';
import { Ledger } from './ledger';

const attempt = (key: string, credits: number) =>
  ({ key, endpoint: 'userid', credits, status: credits > 0 ? 200 : 404, requestId: 'req_1', attempt: 1, at: '2026-11-24T12:00:00.000Z' }) as const;

function filled(limit = 1_000): Ledger {
  const ledger = new Ledger(Journal.none(), limit);
  for (let i = 0; i < 10; i++) ledger.record(attempt(i % 2 === 0 ? 'even' : 'odd', i % 3 === 0 ? 0 : 1));
  return ledger;
}

describe('the ledger', () => {
  it('numbers attempts without a gap, charged or not', () => {
    expect(filled().page({ limit: 100 }).data.map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('pages through one key to the end, nothing twice and nothing left out', () => {
    const ledger = filled();
    const first = ledger.page({ key: 'odd', limit: 3 });
    expect(first).toMatchObject({ data: [{ seq: 2 }, { seq: 4 }, { seq: 6 }], next: 6 });
    expect(ledger.page({ key: 'odd', after: 6, limit: 2 })).toMatchObject({ data: [{ seq: 8 }, { seq: 10 }], next: null });
  });

  it('counts attempts and credits of each key', () => {
    expect(filled().totals('even')).toEqual([{ key: 'even', attempts: 5, charged: 3, credits: 3 }]);
  });

  it('lists the newest up to its limit and goes on counting all', () => {
    const ledger = filled(5);
    expect(ledger.page({ limit: 100 }).data.length).toBeLessThanOrEqual(5);
    expect(ledger.page({ limit: 100 }).data.at(-1)).toMatchObject({ seq: 10 });
    expect(ledger.totals().reduce((sum, total) => sum + total.attempts, 0)).toBe(10);
  });

  it('is cleared for one key alone, and numbers on', () => {
    const ledger = filled();
    ledger.clear('odd');
    expect(ledger.page({ limit: 100 }).data.map((entry) => entry.key)).toEqual(Array(5).fill('even'));
    expect(ledger.record(attempt('odd', 1)).seq).toBe(11);
    expect(ledger.totals('odd')).toMatchObject([{ attempts: 1 }]);
  });
});

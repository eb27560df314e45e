import type { StoredEvent } from './event';
import { firstDisagreement, firstFinding, type Evidence } from './verdict';

const agreed = {
  chain: { position: 5, head: 'h5', events: 5, firstBreak: undefined },
  head: { position: 5, chainHash: 'h5' },
  witnessed: { position: 4 },
  disagreement: undefined,
} satisfies Evidence;
const finding = (different: Partial<Evidence>) => firstFinding({ ...agreed, ...different });
const head = (position: number, chainHash = `h${position}`) => ({ position, eventId: `e${position}`, chainHash, at: 1 });

describe('the verdict on a log', () => {
  it('is that nothing is wrong when chain, head row and witness agree, or nothing was witnessed yet', () => {
    expect(finding({})).toBeUndefined();
    expect(finding({ witnessed: undefined })).toBeUndefined();
    expect(finding({ witnessed: head(5) })).toBeUndefined();
    expect(
      finding({
        chain: { position: 0, head: 'g', events: 0, firstBreak: undefined },
        head: { position: 0, chainHash: 'g' },
        witnessed: undefined,
      }),
    ).toBeUndefined();
  });

  it('names the first break of the chain before anything else', () => {
    const firstBreak = { position: 2, what: 'gap' } as const;
    expect(finding({ chain: { ...agreed.chain, firstBreak }, disagreement: 1, witnessed: head(9) })).toEqual(firstBreak);
  });

  it('names the first missing position of a log that ends before its head row or before what was witnessed', () => {
    expect(finding({ head: { position: 8, chainHash: 'h8' } })).toEqual({ position: 6, what: 'truncated' });
    expect(finding({ witnessed: head(7) })).toEqual({ position: 6, what: 'truncated' });
  });

  it('names the first event after the head row', () =>
    expect(finding({ head: head(3), witnessed: head(3) })).toEqual({ position: 4, what: 'beyond-head' }));

  it('names a chain that is not the one of the head row, or not the witnessed one', () => {
    expect(finding({ head: { position: 5, chainHash: 'other' } })).toEqual({ position: 5, what: 'rewritten' });
    expect(finding({ disagreement: 4 })).toEqual({ position: 4, what: 'rewritten' });
  });
});

describe('a page against the witness', () => {
  const event = (position: number) => ({ position, eventId: `e${position}`, chainHash: `h${position}` }) as StoredEvent;
  const page = [event(3), event(4), event(5)];

  it('agrees where event and chain are the witnessed ones, or only the event was witnessed', () => {
    expect(firstDisagreement(page, [head(3), head(5)])).toBeUndefined();
    expect(firstDisagreement(page, [{ ...head(4), chainHash: undefined }])).toBeUndefined();
    expect(firstDisagreement(page, [])).toBeUndefined();
  });

  it('disagrees first where either differs', () => {
    expect(firstDisagreement(page, [head(3), head(4, 'other'), head(5, 'other')])).toBe(4);
    expect(firstDisagreement(page, [{ ...head(5), eventId: 'other', chainHash: undefined }])).toBe(5);
  });
});

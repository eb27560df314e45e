import { Faults } from './faults';

const kinds = (faults: Faults, calls: number, key = 'k1', endpoint = 'userid') =>
  Array.from({ length: calls }, () => faults.strike(key, endpoint).effect?.kind ?? 'none');

describe('a fault', () => {
  it('strikes the calls of its key and endpoint and no others', () => {
    const faults = new Faults();
    faults.add({ kind: '503', key: 'k1', endpoint: 'userid' });
    expect(kinds(faults, 1)).toEqual(['503']);
    expect(kinds(faults, 1, 'k2')).toEqual(['none']);
    expect(kinds(faults, 1, 'k1', 'user-posts')).toEqual(['none']);
  });

  it('is over after its number of times', () => {
    const faults = new Faults();
    faults.add({ kind: '401', times: 2 });
    expect(kinds(faults, 4)).toEqual(['401', '401', 'none', 'none']);
    expect(faults.list()).toEqual([]);
  });

  it('takes its share of the calls, the same ones for the same seed', () => {
    const [first, again] = [new Faults(), new Faults()];
    for (const faults of [first, again]) faults.add({ kind: '500', share: 0.3, seed: 's' });
    const struck = kinds(first, 10_000);
    expect(kinds(again, 10_000)).toEqual(struck);
    expect(struck.filter((kind) => kind === '500').length / 10_000).toBeCloseTo(0.3, 1);
  });

  it('of delay adds to what else befalls a call; of the others the oldest has it and the next keeps its times', () => {
    const faults = new Faults();
    faults.add({ kind: 'slow', ms: 10 });
    faults.add({ kind: '429', times: 1 });
    faults.add({ kind: '500', times: 1 });
    faults.add({ kind: 'slow', ms: 5 });
    expect(faults.strike('k1', 'userid')).toMatchObject({ slowMs: 15, effect: { kind: '429', retryAfter: 1 } });
    expect(faults.strike('k1', 'userid')).toMatchObject({ effect: { kind: '500' } });
  });

  it('that names no endpoint of the catalog or has a share of nothing is refused', () => {
    const faults = new Faults();
    expect(() => faults.add({ kind: '500', endpoint: 'nowhere' })).toThrow(/not an endpoint/);
    expect(() => faults.add({ kind: '500', share: 0 })).toThrow();
  });
});

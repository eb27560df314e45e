import { compare, type Line, type Standing } from './compare';

const SPAN = { from: 1_000, to: 2_000 };
const attempt = (given: Partial<Standing> = {}): Standing => ({ tenantId: 'ten_a', requestId: 'req_1', attempt: 1, keyId: 'key_1', state: 'settled', credits: 2, at: 1_500, ...given });
const line = (given: Partial<Line> = {}): Line => ({ line: 1, requestId: 'req_1', attempt: 1, keyHint: '4f9a', status: 200, credits: 2, at: 1_600, ...given });
const classes = (lines: Line[], attempts: Standing[]) => compare(SPAN, lines, attempts).findings.map((one) => [one.class, one.ourCredits, one.upstreamCredits]);

describe('our records beside the upstream’s account', () => {
  it('agree where each settled attempt is listed once with its credits', () => {
    const second = { attempt: 2, credits: 0 };
    expect(compare(SPAN, [line(), line({ line: 2, ...second })], [attempt(), attempt(second)])).toEqual({
      lines: 2,
      attempts: 2,
      upstreamCredits: 2,
      settledCredits: 2,
      unsettledCredits: 0,
      findings: [],
    });
  });

  it.each([
    ['not-listed', [], [attempt()], 2, 0],
    ['credits-differ', [line({ credits: 5 })], [attempt()], 2, 5],
    ['listed-twice', [line(), line({ line: 2 })], [attempt()], 2, 4],
    ['released-but-taken', [line()], [attempt({ state: 'released', credits: 0 })], 0, 2],
    ['released-but-taken', [line()], [attempt({ state: 'not-taken', credits: 0 })], 0, 2],
    ['credits-differ', [line({ credits: 5 })], [attempt({ state: 'taken' })], 2, 5],
    ['unknown-attempt', [line({ requestId: '', attempt: 0 })], [], 0, 2],
    ['unknown-attempt', [line({ requestId: 'req_2' })], [], 0, 2],
  ] as const)('%s, where they differ', (name, lines, attempts, ours, theirs) => {
    expect(classes([...lines], [...attempts])).toEqual([[name, ours, theirs]]);
  });

  it('do not differ by what cost nothing: a refused call need not be listed, and one that is ours alone to list', () => {
    expect(classes([line({ requestId: 'req_2', credits: 0 })], [attempt({ credits: 0 }), attempt({ requestId: 'req_3', state: 'released', credits: 0 })])).toEqual([]);
  });

  it('say nothing yet of attempts whose fate nobody knows', () => {
    const { findings, unsettledCredits } = compare(SPAN, [line()], [attempt({ state: 'unsettled' }), attempt({ requestId: 'req_2', state: 'held' })]);
    expect({ findings, unsettledCredits }).toEqual({ findings: [], unsettledCredits: 2 });
  });

  it('judge each attempt and each line in one span alone, whichever side of its edge the other half is on', () => {
    expect(classes([line({ at: 2_100 })], [attempt({ at: 1_999 })])).toEqual([]);
    expect(compare(SPAN, [line({ at: 1_001 })], [attempt({ at: 999 })])).toMatchObject({ lines: 0, attempts: 0, findings: [] });
    expect(classes([line({ requestId: 'req_2', at: 2_000 })], [attempt({ at: 2_000 })])).toEqual([]);
  });
});

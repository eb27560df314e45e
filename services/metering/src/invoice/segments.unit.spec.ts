import { segmentsOf } from './segments';

const plan = (id: string, version = 1) => ({ id, version });
const at = (day: string, time = '12:00:00') => Date.parse(`${day}T${time}Z`);
const spans = (segments: ReturnType<typeof segmentsOf>) => segments.map(({ plan: { id, version }, from, to, days }) => [`${id}@${version}`, from.slice(8), to.slice(8), days]);

describe('a month by its plans', () => {
  it('is one where the plan was never heard to change: that of now', () => {
    expect(spans(segmentsOf('2026-11', [], plan('free')))).toEqual([['free@1', '01', '30', 30]]);
  });

  it('is one where the plan changed before it', () => {
    expect(spans(segmentsOf('2026-11', [{ at: at('2026-01-01'), plan: plan('free') }, { at: at('2026-10-31', '23:59:59'), plan: plan('pro') }], plan('pro')))).toEqual([['pro@1', '01', '30', 30]]);
  });

  it('changes on the day of the change, which is the new plan’s whole', () => {
    const changes = [{ at: at('2026-01-01'), plan: plan('free') }, { at: at('2026-11-16', '23:59:59'), plan: plan('pro') }];
    expect(spans(segmentsOf('2026-11', changes, plan('pro')))).toEqual([
      ['free@1', '01', '15', 15],
      ['pro@1', '16', '30', 15],
    ]);
  });

  it('has the last change of a day that has several', () => {
    const changes = [{ at: at('2026-01-01'), plan: plan('free') }, { at: at('2026-11-10', '01:00:00'), plan: plan('pro') }, { at: at('2026-11-10', '02:00:00'), plan: plan('pro', 2) }];
    expect(spans(segmentsOf('2026-11', changes, plan('pro', 2)))).toEqual([
      ['free@1', '01', '09', 9],
      ['pro@2', '10', '30', 21],
    ]);
  });

  it('is one where a change was taken back on its day', () => {
    const changes = [{ at: at('2026-01-01'), plan: plan('free') }, { at: at('2026-11-10', '01:00:00'), plan: plan('pro') }, { at: at('2026-11-10', '02:00:00'), plan: plan('free') }];
    expect(spans(segmentsOf('2026-11', changes, plan('free')))).toEqual([['free@1', '01', '30', 30]]);
  });

  it('begins with the tenant’s first day, and is nothing before that month', () => {
    const changes = [{ at: at('2026-11-24'), plan: plan('free') }];
    expect(spans(segmentsOf('2026-11', changes, plan('free')))).toEqual([['free@1', '24', '30', 7]]);
    expect(segmentsOf('2026-10', changes, plan('free'))).toEqual([]);
    expect(spans(segmentsOf('2026-12', changes, plan('free')))).toEqual([['free@1', '01', '31', 31]]);
  });
});

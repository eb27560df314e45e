import { canonicalJson, type TenantId } from '@weir/kernel';
import fc from 'fast-check';
import { PARTS, reportOf, type Found, type Rotation } from './rotation';

const rotation: Rotation = { id: 'op_1', of: PARTS, tenantId: null, kekId: 'kek_new', startedAt: '2026-11-24T12:00:00.000Z' };
const AT = '2026-11-24T12:01:00.000Z';

const found = fc.record({
  countedAt: fc.constant(AT),
  kekId: fc.constantFrom('kek_new', 'kek_of_its_own'),
  blobs: fc.array(fc.record({ dataKeyVersion: fc.integer({ min: 1, max: 9 }), kekId: fc.constantFrom('kek_old', 'kek_new'), count: fc.nat(50) }), { maxLength: 4 }),
  leftUnderOld: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(5) }),
  unreadable: fc.array(fc.record({ keyId: fc.constant('key_1' as const), version: fc.integer({ min: 1, max: 9 }) }), { maxLength: 2 }),
});
const tenants = fc
  .array(found, { maxLength: 12 })
  .map((all) => all.map((one, i): { tenantId: TenantId } & Found => ({ tenantId: `ten_${String(i).padStart(2, '0')}`, ...one })));

const each = (holds: (all: ({ tenantId: TenantId } & Found)[]) => void): void => fc.assert(fc.property(tenants, holds), { numRuns: 300 });
const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

describe('the completeness report', () => {
  it('V8 is complete when nothing is left under an old key and everything opens, and only then', () =>
    each((all) => {
      const { complete } = reportOf(rotation, AT, all);
      expect(complete).toBe(all.every(({ leftUnderOld, unreadable }) => leftUnderOld === 0 && unreadable.length === 0));
    }));

  it('V8 counts every secret of every tenant once', () =>
    each((all) => {
      const { totals } = reportOf(rotation, AT, all);
      expect(totals).toEqual({
        tenants: all.length,
        blobs: sum(all.flatMap(({ blobs }) => blobs.map(({ count }) => count))),
        leftUnderOld: sum(all.map(({ leftUnderOld }) => leftUnderOld)),
        unreadable: sum(all.map(({ unreadable }) => unreadable.length)),
      });
    }));

  it('one tenant that has something left makes it incomplete, however many have not', () =>
    each((all) => {
      const bad: { tenantId: TenantId } & Found = { tenantId: 'ten_bad', countedAt: AT, kekId: 'kek_new', blobs: [], leftUnderOld: 1, unreadable: [] };
      expect(reportOf(rotation, AT, [...all, bad]).complete).toBe(false);
    }));

  it('is the same text when it is made again, so that its signature is too', () =>
    each((all) => expect(canonicalJson(reportOf(rotation, AT, all))).toBe(canonicalJson(reportOf({ ...rotation }, AT, structuredClone(all))))));

  it('names under which key each tenant is to be, and keeps what was found in its line', () =>
    each((all) => {
      const report = reportOf(rotation, AT, all);
      expect(report.tenants).toEqual(all);
      expect(report.kekId).toBe('kek_new');
    }));
});

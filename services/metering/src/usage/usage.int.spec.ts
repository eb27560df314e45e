import type { BusRecord } from '@weir/bus';
import type { Usage } from '@weir/contracts';
import { newId, newUuid, PLATFORM, systemClock, utcDay, utcMonth, type TenantId } from '@weir/kernel';
import { closePeriod } from '../books/books';
import { daysOf } from '../period';
import { readStanding } from '../standing/standing';
import { batch, startCounting, type Counting } from '../testing/counting';
import type { MeteringDatabase } from '../testing/metering-database';
import { held, released, served, settled } from '../testing/samples';
import { RollupChecks } from './checking';
import { KeptMonths } from './kept-months';
import { UsageLedger } from './ledger';
import { CLASSES, type MarginRow } from './margin';
import { ofItself } from './on-record';
import { readReport, type ReportQuery } from './report';
import { UsageConsumer } from './usage.consumer';
import type { UsageService } from './usage.service';

const DAY_MS = 86_400_000;
const KEPT = new KeptMonths(systemClock, 25);
const EVER: ReportQuery = { from: '2020-01-01', to: '2099-12-31', groupBy: [], mode: 'all' };

let counting: Counting;
let database: MeteringDatabase;
let consumer: UsageConsumer;
let usage: UsageService;

beforeAll(async () => {
  counting = await startCounting();
  ({ database, consumer, usage } = counting);
}, 60_000);
afterAll(() => database.drop());

const consumerAt = (time: string | number) => new UsageConsumer(new UsageLedger(database.work, () => (typeof time === 'string' ? Date.parse(time) : time)), KEPT);
const closedMonth = async (tenant: TenantId, month: string, now: number) => {
  await database.work.inTenant(tenant, (sql) => closePeriod(sql, tenant, month, now));
  return { body: (await usage.ofTenant(tenant, { ...EVER, to: daysOf(month).before, groupBy: ['day'] })).data };
};
const quotaOf = (tenant: TenantId, now: number) => database.work.inTenant(tenant, (sql) => readStanding(sql, tenant, now).then(({ quota }) => quota));
const ingest = (...records: Usage[]) => counting.ingest(...records);
const totals = (tenant: TenantId) => counting.totals(tenant);
const byKey = (tenant: TenantId) => counting.byKey(tenant);
const saidQuota = (tenant: TenantId) => counting.saidQuota(tenant);
const drift = (tenant: TenantId) => counting.drift(tenant);
const overdue = () => counting.overdue();
const fail = (error: Error): never => {
  throw error;
};

describe('counting usage', () => {
  it('M1 the same usage a hundred times, on another partition and 40 days later, is counted once', async () => {
    const tenantId = await database.newTenant();
    const hold = held({ tenantId });
    const settlement = settled({ tenantId, requestId: hold.requestId });
    const hit = served({ tenantId });
    const late = Date.now() + 40 * DAY_MS;
    const again = new UsageConsumer(new UsageLedger(database.work, () => late), KEPT);

    for (let time = 0; time < 20; time++) await ingest(hold, settlement, hit, hit, settlement);
    await Promise.all(Array.from({ length: 20 }, (_, partition) => consumer.ingest(batch([settlement, hit, hold], partition))));
    for (let time = 0; time < 10; time++) await again.ingest(batch([hit, hold, settlement], 7));

    expect(await totals(tenantId)).toEqual({ calls: 2, upstreamCredits: 2, unsettledCredits: 0, chargedCredits: 3 });
    expect(await byKey(tenantId)).toMatchObject([
      { keyId: 'key_platform', upstreamCredits: 2, chargedCredits: 2, unsettledCredits: 0 },
      { keyId: null, upstreamCredits: 0, chargedCredits: 1, unsettledCredits: 0 },
    ]);
  });

  it('counts a settlement that comes before its hold, and leaves no hold open', async () => {
    const tenantId = await database.newTenant();
    const settlement = settled({ tenantId });
    await ingest(settlement);
    await ingest(held({ tenantId, requestId: settlement.requestId }));
    await overdue();
    expect(await totals(tenantId)).toEqual({ calls: 1, upstreamCredits: 2, unsettledCredits: 0, chargedCredits: 2 });
  });

  it('counts an attempt once when two settlements of it bear different event ids', async () => {
    const tenantId = await database.newTenant();
    const settlement = settled({ tenantId });
    await ingest(settlement, { ...settlement, eventId: newUuid() });
    await ingest({ ...settlement, eventId: newUuid() });
    expect(await totals(tenantId)).toMatchObject({ calls: 1, chargedCredits: 2 });
  });

  it('counts each attempt of one request: a retry is a second attempt', async () => {
    const tenantId = await database.newTenant();
    const requestId = newId('req');
    await ingest(
      settled({ tenantId, requestId, attempt: 1, chargedCredits: 0, difference: 'absorbed', upstreamStatus: 500 }),
      settled({ tenantId, requestId, attempt: 2 }),
    );
    expect(await totals(tenantId)).toMatchObject({ upstreamCredits: 4, chargedCredits: 2 });
  });

  it('M8 counts late usage of an open month in the hour and on the UTC day in which it happened, whatever came before it', async () => {
    const tenantId = await database.newTenant();
    const december = consumerAt('2026-12-03T10:00:00Z');
    const midnight = Date.parse('2026-11-01T00:00:00Z');
    await december.ingest(batch([settled({ tenantId, at: midnight }), settled({ tenantId, at: midnight - 1 }), settled({ tenantId, at: Date.parse('2026-12-03T09:59:59Z') })]));
    await december.ingest(batch([settled({ tenantId, at: midnight - DAY_MS })]));
    const { data } = await usage.ofTenant(tenantId, { ...EVER, groupBy: ['hour'] });
    expect(data.map(({ hour, chargedCredits }) => [hour, chargedCredits])).toEqual([
      ['2026-10-31T00:00Z', 2],
      ['2026-10-31T23:00Z', 2],
      ['2026-11-01T00:00Z', 2],
      ['2026-12-03T09:00Z', 2],
    ]);
  });

  it('M8 counts usage from a clock that is ahead when it comes: no hour that has not come has usage', async () => {
    const tenantId = await database.newTenant();
    const now = Date.parse('2026-12-31T23:30:00Z');
    const atThatTime = consumerAt(now);
    await atThatTime.ingest(batch([settled({ tenantId, at: now + 1_800_000 }), settled({ tenantId, at: now + 3 * DAY_MS }), settled({ tenantId, at: Date.parse('2030-01-01T00:00:00Z') })]));
    const { data } = await usage.ofTenant(tenantId, { ...EVER, groupBy: ['hour', 'adjusts'] });
    // half an hour is the difference that clocks have
    expect(data.map(({ hour, adjusts, chargedCredits }) => [hour, adjusts, chargedCredits])).toEqual([
      ['2026-12-31T23:00Z', null, 4],
      ['2027-01-01T00:00Z', null, 2],
    ]);
  });

  it('M8 leaves the sums of a closed month as they are: what comes of it later is an adjustment on the day on which it comes', async () => {
    const tenantId = await database.newTenant();
    const [october, december] = [Date.parse('2026-10-15T12:00:00Z'), Date.parse('2026-12-03T10:00:00Z')];
    const doubtful = held({ tenantId, at: october, upstreamCredits: 5 });
    await consumerAt(october + 60_000).ingest(batch([settled({ tenantId, at: october }), doubtful]));
    await overdue();
    const { body } = await closedMonth(tenantId, '2026-10', december);
    expect(body).toMatchObject([{ day: '2026-10-15', chargedCredits: 2, unsettledCredits: 5 }]);

    await consumerAt(december).ingest(
      batch([settled({ tenantId, at: october }), settled({ tenantId, requestId: doubtful.requestId, at: october, upstreamCredits: 5, chargedCredits: 5 }), settled({ tenantId, at: december })]),
    );
    expect((await usage.ofTenant(tenantId, { ...EVER, to: '2026-10-31', groupBy: ['day'] })).data).toEqual(body);
    const { data } = await usage.ofTenant(tenantId, { ...EVER, from: '2026-11-01', groupBy: ['day', 'adjusts'] });
    expect(data).toEqual([
      { day: '2026-12-03', adjusts: '2026-10', calls: 2, upstreamCredits: 7, unsettledCredits: -5, chargedCredits: 7 },
      { day: '2026-12-03', adjusts: null, calls: 1, upstreamCredits: 2, unsettledCredits: 0, chargedCredits: 2 },
    ]);
    expect((await usage.call(tenantId, doubtful.requestId)).charge).toEqual({ day: '2026-12-03', period: '2026-12', adjusts: '2026-10' });
    expect(await drift(tenantId)).toEqual({ rows: 0, shown: [] });

    const [quota, keys] = [await quotaOf(tenantId, december), await byKey(tenantId)];
    const checks = new RollupChecks({ work: database.work, clock: () => december, kept: new KeptMonths(() => december, 25), tenants: () => [], onChecked: () => undefined, onError: fail });
    expect(await checks.rebuild(tenantId, ofItself('spec', 'rebuild', Date.now()))).toMatchObject({ from: '2026-11-01', rows: 0 });
    expect([await quotaOf(tenantId, december), await byKey(tenantId)]).toEqual([quota, keys]);
    expect(await checks.check(tenantId)).toMatchObject({ from: '2024-12-01', rows: 0 });
    await expect(closedMonth(tenantId, '2026-12', december)).rejects.toMatchObject({ code: 'period-open' });
  });

  it('two writers with shared duplicates in opposite orders do not deadlock and count once', async () => {
    const tenants = await Promise.all([database.newTenant(), database.newTenant()]);
    const records = Array.from({ length: 300 }, (_, index) =>
      settled({ tenantId: tenants[index % 2] as TenantId, attempt: 1 + (index % 3) }),
    );
    const rounds = Array.from({ length: 8 }, (_, round) =>
      consumer.ingest(batch(round % 2 === 0 ? records : records.toReversed())),
    );
    await Promise.all(rounds);
    for (const tenant of tenants) expect(await totals(tenant)).toMatchObject({ calls: 150, chargedCredits: 300 });
  });

  it('one tenant’s records that cannot be counted keep no other’s from being counted', async () => {
    const tenantId = await database.newTenant();
    const gone = newId('ten');
    await expect(ingest(settled({ tenantId: gone }), settled({ tenantId }))).rejects.toMatchObject({ category: 'not-found' });
    expect(await totals(tenantId)).toMatchObject({ chargedCredits: 2 });
  });

  it('a record that is not one of usage is refused as bad, not as trouble that passes', async () => {
    const bad = { ...batch([settled({ tenantId: PLATFORM })])[0], value: Buffer.from('{"kind":"settled"}') } as BusRecord;
    await expect(consumer.ingest([bad])).rejects.toMatchObject({ code: 'malformed-usage', category: 'invalid' });
  });

  it('counts tenants who share the pooled schema apart, under one request id too', async () => {
    const [first, second] = [await database.newTenant('pooled'), await database.newTenant('pooled')];
    const settlement = settled({ tenantId: first });
    await ingest(settlement, { ...settlement, tenantId: second, upstreamCredits: 5, chargedCredits: 5 }, settlement);
    expect([await totals(first), await totals(second)]).toMatchObject([{ chargedCredits: 2 }, { chargedCredits: 5 }]);
    expect(await saidQuota(second)).toMatchObject({ tenantId: second, dayCredits: 5 });
  });

  it('keeps the platform’s own test calls in its own schema, without a quota', async () => {
    await ingest(settled({ tenantId: PLATFORM, purpose: 'validation', chargedCredits: 0, difference: 'validation' }));
    expect(await totals(PLATFORM)).toMatchObject({ upstreamCredits: 2, chargedCredits: 0 });
    expect(await saidQuota(PLATFORM)).toBeUndefined();
  });
});

describe('the sums', () => {
  it('M9 equal a recount of the records, whatever came in whatever order', async () => {
    const tenantId = await database.newTenant();
    const records = Array.from({ length: 120 }, (_, index) => stories(tenantId, index)).flat();
    const shuffled = records.map((record) => ({ record, by: Math.random() })).sort((a, b) => a.by - b.by);
    for (let from = 0; from < shuffled.length; from += 50) {
      await ingest(...shuffled.slice(from, from + 70).map(({ record }) => record));
      await overdue();
    }
    expect(await drift(tenantId)).toEqual({ rows: 0, shown: [] });

    const whole = await totals(tenantId);
    const keys = await byKey(tenantId);
    const sum = (member: 'upstreamCredits' | 'chargedCredits' | 'unsettledCredits') =>
      keys.reduce((before, row) => before + Number(row[member]), 0);
    expect([sum('upstreamCredits'), sum('chargedCredits'), sum('unsettledCredits')]).toEqual([
      whole.upstreamCredits,
      whole.chargedCredits,
      whole.unsettledCredits,
    ]);
  });

  it('the differences by class add up to what was taken and not charged', async () => {
    const { differences, totals: all } = await usage.ofAll(EVER);
    const sum = Object.values(differences).reduce((before, each) => before + each, 0);
    expect(sum).toBe(all.upstreamCredits + all.unsettledCredits - all.chargedCredits);
    expect(differences).toMatchObject({ unexplained: 0 });
    expect(Math.sign(differences.cache)).toBe(-1);
    const byClass = (rows: readonly MarginRow[]) => CLASSES.map((name) => rows.reduce((before, row) => before + row.differences[name], 0));
    for (const groupBy of [['tenant', 'key'], ['key'], ['day']] as const) {
      const { data } = await usage.ofAll({ ...EVER, groupBy });
      expect(byClass(data)).toEqual(CLASSES.map((name) => differences[name]));
      for (const row of data) expect(row.marginCredits + CLASSES.reduce((before, name) => before + row.differences[name], 0)).toBe(0);
    }
  });

  it('test calls count in usage and not in the quota', async () => {
    const tenantId = await database.newTenant();
    await ingest(settled({ tenantId }), settled({ tenantId, mode: 'test', chargedCredits: 100, upstreamCredits: 100 }));
    const of = (mode: 'live' | 'test') =>
      database.work.inTenant(tenantId, (sql) => readReport(sql, 'usage_daily', { ...EVER, mode }));
    expect([await of('live'), await of('test')]).toMatchObject([[{ chargedCredits: 2 }], [{ chargedCredits: 100 }]]);
    expect(await saidQuota(tenantId)).toMatchObject({ dayCredits: 2, monthCredits: 2 });
  });
});

describe('the quota', () => {
  it('is said on the state topic as soon as usage is counted, and again only when it has changed', async () => {
    const tenantId = await database.newTenant();
    const seq = async () => (await database.work.inTenant(tenantId, (sql) => sql.query('select state_seq from log_heads'))).rows[0];
    await ingest(held({ tenantId }));
    const now = Date.now();
    expect(await saidQuota(tenantId)).toEqual({
      tenantId,
      day: utcDay(now),
      dayCredits: 0,
      month: utcMonth(now),
      monthCredits: 0,
    });
    const before = await seq();
    await ingest(held({ tenantId }));
    expect(await seq()).toEqual(before);
    await ingest(settled({ tenantId }), served({ tenantId }));
    expect(await saidQuota(tenantId)).toMatchObject({ dayCredits: 3, monthCredits: 3 });
  });

  it('counts the UTC day and month in which the call happened', async () => {
    const tenantId = await database.newTenant();
    const at = (text: string) => Date.parse(text);
    await consumerAt('2026-12-01T00:00:00Z').ingest(
      batch([settled({ tenantId, at: at('2026-10-31T23:59:59Z') }), settled({ tenantId, at: at('2026-11-01T00:00:00Z') }), settled({ tenantId, at: at('2026-11-30T23:59:59Z') })]),
    );
    const on = (text: string) => database.work.inTenant(tenantId, (sql) => readStanding(sql, tenantId, at(text)).then(({ quota }) => quota));
    expect(await on('2026-11-30T12:00:00Z')).toMatchObject({
      day: '2026-11-30',
      dayCredits: 2,
      month: '2026-11',
      monthCredits: 4,
    });
    expect(await on('2026-12-01T00:00:00Z')).toMatchObject({ dayCredits: 0, monthCredits: 0 });
  });
});

/** What can become of a call, as records. */
function stories(tenantId: TenantId, index: number): Usage[] {
  const requestId = newId('req');
  const at = Date.now() - (index % 3) * DAY_MS;
  const common = { tenantId, requestId, at, endpoint: `endpoint-${index % 4}`, tokenId: index % 5 === 0 ? null : 'tok_live' };
  const hold = held({ ...common, upstreamCredits: 1 + (index % 3) });
  const settlement = settled({ ...common, upstreamCredits: 1 + (index % 3), chargedCredits: 1 + (index % 3) });
  switch (index % 6) {
    case 0:
      return [served({ ...common, cache: 'coalesced' })];
    case 1:
      return [hold];
    case 2:
      return [hold, released(common)];
    case 3:
      return [hold, { ...settlement, chargedCredits: 0, difference: 'absorbed' }, settled({ ...common, attempt: 2 })];
    default:
      return [hold, settlement, { ...settlement, eventId: newUuid() }, hold];
  }
}

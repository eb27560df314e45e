import type { Usage } from '@weir/contracts';
import { newId, systemClock, type TenantId } from '@weir/kernel';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { meteringDatabase, type MeteringDatabase } from '../testing/metering-database';
import { held, settled } from '../testing/samples';
import { UsageLedger } from '../usage/ledger';
import { UnsettledHolds } from '../usage/unsettled';
import { UsageService } from '../usage/usage.service';
import { HoldDecisions } from './decide';
import { LEDGER, Reconciler } from './reconciler';
import { ReconciliationService } from './reconciliation.service';
import type { Discrepancy } from './reconciliations';
import { upstreamLedger } from './upstream-ledger';

const KEY = 'tl_reconciled_4f9a1c';
const EVER = { from: '2020-01-01', to: '2099-12-31', mode: 'all' } as const;
const fail = (error: Error): never => {
  throw error;
};

let database: MeteringDatabase;
let simulator: Simulator;
let ledger: UsageLedger;
let service: ReconciliationService;

beforeAll(async () => {
  simulator = await startSimulator({ latencyP50Ms: 0 });
  simulator.keys.set({ key: KEY, credits: null, perMinute: null, burst: 10_000, scopes: [], suspended: false });
});
beforeEach(async () => {
  database = await meteringDatabase();
  ledger = new UsageLedger(database.work, systemClock);
  service = new ReconciliationService(database.work);
  simulator.ledger.clear();
});
afterEach(() => database.drop());
afterAll(() => simulator.close());

/** A call that reaches the upstream under our attempt's name; what it took. */
const upstreamCall = async (requestId: string, attempt = 1, path = '/userid/?username=tiktok') => {
  const { status } = await fetch(simulator.url + path, { headers: { 'x-api-key': KEY, 'x-request-id': `${requestId}/${attempt}` } });
  return { status, credits: simulator.ledger.page({ limit: 10_000 }).data.findLast((line) => line.requestId === requestId)?.credits ?? NaN };
};
const reconcilerOf = (settledWithinMs = 0) =>
  new Reconciler({
    work: database.work,
    holds: new HoldDecisions(database.work, ledger, fail),
    ledger: upstreamLedger(simulator.url),
    clock: systemClock,
    settledWithinMs,
    compareAfterMs: settledWithinMs,
    everyMs: 1,
    onFinding: () => undefined,
    onError: fail,
  });
const count = (...records: Usage[]) => Promise.all([...Map.groupBy(records, ({ tenantId }) => tenantId)].map(([tenant, own]) => ledger.record(tenant, own)));
const overdue = () => new UnsettledHolds(database.work, ledger, -1_000, fail).find();
const totals = async (tenant: TenantId) => (await new UsageService(database.work).ofTenant(tenant, { ...EVER, groupBy: [] })).totals;
const discrepancies = async (): Promise<Discrepancy[]> => {
  const all = await Promise.all((await service.list(100, undefined)).map(({ id }) => service.get(id)));
  return all.flatMap((one) => one.discrepancies);
};
const events = async (tenant: TenantId, type: string) => {
  const { rows } = await database.work.inTenant(tenant, (sql) => sql.query<{ data: string }>('select data from events where type = $1 order by position', [type]));
  return rows.map(({ data }) => JSON.parse(data) as Record<string, unknown>);
};
/** Past the millisecond, so that what was recorded is within the span. */
const aMoment = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('reconciliation with the upstream’s own account', () => {
  it('decides holds that nobody settled, on the record: what the upstream lists was taken, what it does not was not', async () => {
    const tenantId = await database.newTenant();
    const [gone, lost] = [held({ tenantId, upstreamCredits: 3 }), held({ tenantId, upstreamCredits: 3 })];
    const { credits, status } = await upstreamCall(gone.requestId);
    await count(gone, lost);
    await overdue();
    expect(await totals(tenantId)).toMatchObject({ upstreamCredits: 0, unsettledCredits: 6 });
    expect(await service.open()).toEqual({ undecidedHolds: 2, openDifferences: 0 });

    await aMoment();
    await reconcilerOf().once();
    expect(await totals(tenantId)).toEqual({ calls: 1, upstreamCredits: credits, unsettledCredits: 0, chargedCredits: 0 });
    expect(await service.open()).toEqual({ undecidedHolds: 0, openDifferences: 0 });
    const decided = await discrepancies();
    expect(decided.map(({ class: name, decision, requestId }) => [name, decision, requestId]).sort()).toEqual([
      ['unsettled-not-taken', 'not-taken', lost.requestId],
      ['unsettled-taken', 'taken', gone.requestId],
    ]);
    expect(await events(tenantId, 'usage.hold-decided')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ requestId: gone.requestId, decision: 'taken', upstreamCredits: credits, source: LEDGER, line: expect.any(Number) }),
        expect.objectContaining({ requestId: lost.requestId, decision: 'not-taken', upstreamCredits: 0, line: null }),
      ]),
    );
    const usage = new UsageService(database.work);
    expect(await usage.call(tenantId, gone.requestId)).toMatchObject({ upstreamCredits: credits, chargedCredits: 0, attempts: [{ state: 'taken', upstreamStatus: status }] });
    expect((await usage.ofAll({ ...EVER, groupBy: ['key'] })).differences).toMatchObject({ unsettled: credits, unexplained: 0 });
  });

  it('a settlement that comes after a decision still outweighs it, and the sums say what it says', async () => {
    const tenantId = await database.newTenant();
    const [slow, slower] = [held({ tenantId }), held({ tenantId })];
    const { credits } = await upstreamCall(slow.requestId);
    await count(slow, slower);
    await overdue();
    await aMoment();
    await reconcilerOf().once();
    const late = { upstreamCredits: credits, chargedCredits: credits };
    await count(settled({ tenantId, requestId: slow.requestId, ...late }), settled({ tenantId, requestId: slower.requestId, upstreamCredits: 0, chargedCredits: 0 }));
    expect(await totals(tenantId)).toEqual({ calls: 2, upstreamCredits: credits, unsettledCredits: 0, chargedCredits: credits });
  });

  it('decides nothing before the upstream has had its time', async () => {
    const tenantId = await database.newTenant();
    await count(held({ tenantId }));
    await overdue();
    await reconcilerOf(60_000).once();
    expect(await service.open()).toEqual({ undecidedHolds: 1, openDifferences: 0 });
  });

  it('classes, explains and puts on the record what differs, each once, however often it looks', async () => {
    const [tenantId, other] = [await database.newTenant(), await database.newTenant('pooled')];
    const [right, dearer, unlisted] = [newId('req'), newId('req'), newId('req')];
    const { credits } = await upstreamCall(right);
    await upstreamCall(dearer);
    await upstreamCall('req_nobody_knows');
    await count(
      settled({ tenantId, requestId: right, upstreamCredits: credits, chargedCredits: credits }),
      settled({ tenantId: other, requestId: dearer, upstreamCredits: credits + 1, chargedCredits: credits }),
      settled({ tenantId, requestId: unlisted, upstreamCredits: 2 }),
    );
    await aMoment();
    const reconciler = reconcilerOf();
    await reconciler.once();
    await reconciler.once();
    await service.again(LEDGER, Date.now() - 60_000);
    await reconciler.once();

    const found = new Map((await discrepancies()).map((one) => [one.class, one]));
    expect(found.get('credits-differ')).toMatchObject({ tenantId: other, requestId: dearer, ourCredits: credits + 1, upstreamCredits: credits, decision: null });
    expect(found.get('not-listed')).toMatchObject({ tenantId, requestId: unlisted, ourCredits: 2, upstreamCredits: 0 });
    expect(found.get('unknown-attempt')).toMatchObject({ tenantId: null, requestId: 'req_nobody_knows', ourCredits: 0, upstreamCredits: credits });
    expect(found.get('unknown-attempt')?.explanation).toContain(`…${KEY.slice(-4)}`);
    expect([...found.keys()].sort()).toEqual(['credits-differ', 'not-listed', 'unknown-attempt']);
    expect(await service.open()).toEqual({ undecidedHolds: 0, openDifferences: 3 });
    expect(await events(other, 'usage.discrepancy-found')).toHaveLength(1);
    expect(await events(tenantId, 'usage.discrepancy-found')).toMatchObject([{ class: 'not-listed', requestId: unlisted }]);
    expect(await events('ten_platform', 'usage.discrepancy-found')).toMatchObject([{ class: 'unknown-attempt' }]);
    const [latest] = await service.list(1, undefined);
    expect(latest).toMatchObject({ source: LEDGER, differences: { 'not-listed': { count: 1, credits: -2 }, 'unknown-attempt': { count: 1, credits } } });
  });

  it('compares an imported statement of one key: by calls where it names them, by days where it does not', async () => {
    const tenantId = await database.newTenant();
    const [right, wrong] = [settled({ tenantId }), settled({ tenantId, upstreamCredits: 3 })];
    const lost = held({ tenantId });
    await count(right, wrong, lost, settled({ tenantId, keyId: 'key_another' }));
    await overdue();
    await aMoment();
    const at = new Date().toISOString();
    await aMoment();
    const covers = { from: new Date(Date.now() - 60_000).toISOString(), to: new Date().toISOString() };
    const lines = [right, wrong].map(({ requestId }, index) => ({ line: index + 1, at, credits: 2, requestId: `${requestId}/1` }));
    await service.import({ source: 'november', keyId: 'key_platform', lines: lines.slice(0, 1) });
    await service.import({ source: 'november', keyId: 'key_platform', lines, covers });
    const reconciler = new Reconciler({ work: database.work, holds: new HoldDecisions(database.work, ledger, fail), ledger: undefined, clock: systemClock, settledWithinMs: 0, compareAfterMs: 0, everyMs: 1, onFinding: () => undefined, onError: fail });
    await reconciler.once();
    expect((await discrepancies()).map(({ class: name, requestId, ourCredits, upstreamCredits }) => [name, requestId, ourCredits, upstreamCredits])).toEqual(
      expect.arrayContaining([
        ['credits-differ', wrong.requestId, 3, 2],
        ['unsettled-not-taken', lost.requestId, 2, 0],
      ]),
    );
    expect(await discrepancies()).toHaveLength(2);
    await expect(service.import({ source: 'november', keyId: 'key_another', lines: [] })).rejects.toMatchObject({ code: 'statement-of-another-key' });

    await service.import({ source: 'sums', keyId: 'key_platform', lines: [{ line: 1, at, credits: 9 }], covers: { ...covers, to: new Date().toISOString() } });
    await reconciler.once();
    expect((await discrepancies()).find((one) => one.class === 'sum-differs')).toMatchObject({ ourCredits: 5, upstreamCredits: 9, keyId: 'key_platform' });
  });
});

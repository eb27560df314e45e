import { systemClock } from '@weir/kernel';
import { Client } from 'pg';
import { meteringDatabase, type MeteringDatabase } from '../testing/metering-database';
import { settled } from '../testing/samples';
import { UsageLedger } from '../usage/ledger';
import type { Line } from './compare';
import { HoldDecisions } from './decide';
import { LEDGER, Reconciler } from './reconciler';
import { ReconciliationService } from './reconciliation.service';
import type { UpstreamLedger } from './upstream-ledger';

const IDLE_AT_MOST_MS = 500;
const fail = (error: Error): never => {
  throw error;
};
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const BEGUN = Date.now() - 5;

let database: MeteringDatabase;
let ledger: UsageLedger;
let admin: Client;
beforeAll(async () => {
  database = await meteringDatabase();
  ledger = new UsageLedger(database.work, systemClock);
  admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
}, 60_000);
beforeEach(() => admin.query('truncate weir_metering.statement_sources cascade'));
afterAll(async () => {
  await admin.end();
  await database.drop();
});

const line = (number: number): Line => ({ line: number, requestId: `req_foreign_${number}`, attempt: 1, keyHint: '9a1c', status: 200, credits: 2, at: BEGUN });
/** An upstream that lists one line a page, and does something before it answers. */
const account = (pages: number, before: (page: number) => Promise<void>): UpstreamLedger => ({
  async after(read) {
    await before(read);
    return { lines: read < pages ? [line(read + 1)] : [], whole: read + 1 >= pages };
  },
});
const reconcilerOn = (upstream: UpstreamLedger) =>
  new Reconciler({ work: database.work, holds: new HoldDecisions(database.work, ledger, fail), ledger: upstream, clock: systemClock, settledWithinMs: 0, compareAfterMs: 0, everyMs: 1, onFinding: () => undefined, onError: fail });
const found = async () => {
  const service = new ReconciliationService(database.work);
  const all = await Promise.all((await service.list(100, undefined)).map(({ id }) => service.get(id)));
  return all.flatMap(({ discrepancies }) => discrepancies.map(({ requestId }) => requestId)).sort();
};
const source = async () => (await database.work.inControl((sql) => sql.query<{ held_by: string | null; read_to: string }>('select held_by, read_to from statement_sources where source = $1', [LEDGER]))).rows[0];

describe('reconciliation while the upstream takes its time', () => {
  it('reads and compares an account that answers more slowly than a transaction may be idle', async () => {
    const impatient = `alter role weir_metering in database "${new URL(database.adminUrl).pathname.slice(1)}"`;
    await admin.query(`${impatient} set idle_in_transaction_session_timeout = '${IDLE_AT_MOST_MS}ms'`);
    const anew = () => admin.query(`select pg_terminate_backend(pid, 2000) from pg_stat_activity where datname = current_database() and usename = 'weir_metering'`);
    await anew();
    await reconcilerOn(account(1, () => sleep(2 * IDLE_AT_MOST_MS))).once();
    expect(await found()).toEqual(['req_foreign_1']);
    expect(await source()).toEqual({ held_by: null, read_to: '1' });
    await admin.query(`${impatient} reset all`);
    await anew();
  });

  it('leaves to one process what it has in hand, and what it had when it died to the next one', async () => {
    let asked = 0;
    const other = reconcilerOn(account(1, async () => void asked++));
    await reconcilerOn(account(1, () => other.once())).once();
    expect({ asked, read: (await source())?.read_to }).toEqual({ asked: 0, read: '1' });

    await database.work.inControl((sql) => sql.query(`update statement_sources set held_by = 'dead', held_until = now() + interval '1 minute'`));
    await other.once();
    expect(asked).toBe(0);
    await database.work.inControl((sql) => sql.query(`update statement_sources set held_until = now() - interval '1 ms'`));
    await other.once();
    expect(asked).toBe(1);
  });

  it('writes nothing of a source that another one has taken meanwhile', async () => {
    const robbed = reconcilerOn(account(1, async () => void (await database.work.inControl((sql) => sql.query(`update statement_sources set held_by = 'another', held_until = now() + interval '1 minute'`)))));
    await robbed.once();
    expect(await source()).toEqual({ held_by: 'another', read_to: '0' });
    expect(await found()).toEqual([]);
  });

  it('compares again what somebody asked for while it was being compared', async () => {
    const tenantId = await database.newTenant();
    await ledger.record(tenantId, [settled({ tenantId })]);
    const service = new ReconciliationService(database.work);
    let again = Date.now() - 60_000;
    const { work } = database;
    // between the comparison and its writing: the tenant's log is written then
    const interrupted = { ...work, inTenant: (async (tenant, run) => {
      if (again > 0) await service.again(LEDGER, again).then(() => (again = 0));
      return work.inTenant(tenant, run);
    }) as typeof work.inTenant };
    await sleep(5);
    const reconciler = new Reconciler({ work: interrupted, holds: new HoldDecisions(work, ledger, fail), ledger: account(1, async () => undefined), clock: systemClock, settledWithinMs: 0, compareAfterMs: 0, everyMs: 1, onFinding: () => undefined, onError: fail });
    await reconciler.once();
    expect(await found()).toEqual([]);
    await reconciler.once();
    expect((await found()).length).toBeGreaterThan(0);
  });
});

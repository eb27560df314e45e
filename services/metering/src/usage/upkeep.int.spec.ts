import { createPool, collectBundle, findDrift as findSchemaDrift, schemaOf } from '@weir/tenancy';
import { newUuid, systemClock, type TenantId } from '@weir/kernel';
import { Client as Postgres } from 'pg';
import { meteringDatabase, type MeteringDatabase } from '../testing/metering-database';
import { held, settled } from '../testing/samples';
import { KeptMonths } from './kept-months';
import { UsageLedger } from './ledger';
import { findDrift } from './recount';
import { UsageUpkeep } from './upkeep';
import { UsageService } from './usage.service';

const MONTH_MS = 31 * 86_400_000;
const fail = (error: Error): never => {
  throw error;
};

let database: MeteringDatabase;
let ledger: UsageLedger;
let admin: Postgres;

beforeAll(async () => {
  database = await meteringDatabase();
  ledger = new UsageLedger(database.work, systemClock);
  admin = new Postgres({ connectionString: database.adminUrl });
  await admin.connect();
}, 60_000);
afterAll(async () => {
  await admin.end();
  await database.drop();
});

const upkeepOf = (tenants: readonly TenantId[], { months = 25, largeRows = 1e9 } = {}) =>
  new UsageUpkeep({ work: database.work, kept: new KeptMonths(systemClock, months), largeRows, tenants: () => tenants, onError: fail }).once();
/** Usage of a time: its record's id is of then. */
const usedAt = (tenantId: TenantId, at: number) => settled({ tenantId, at, eventId: newUuid(at) });
const partitions = async (home: string): Promise<string[]> => {
  const { rows } = await admin.query<{ name: string }>('select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass order by 1', [`${home}.usage_events`]);
  return rows.map(({ name }) => name);
};
const recordsOf = async (tenant: TenantId): Promise<number> =>
  (await database.work.inTenant(tenant, (sql) => sql.query<{ n: number }>('select count(*)::int as n from usage_events'))).rows[0]?.n ?? NaN;
const charged = async (tenant: TenantId) => (await new UsageService(database.work).ofTenant(tenant, { from: '2020-01-01', to: '2099-12-31', groupBy: [], mode: 'all' })).totals.chargedCredits;
const drift = (tenant: TenantId) => database.work.inTenant(tenant, (sql) => findDrift(sql, tenant, { from: '2020-01-01', keptFrom: '2020-01-01' }));

describe('the months of records', () => {
  it('are partitions in the pooled schema, made before they come, and nobody reaches one past its parent', async () => {
    const [first, second] = [await database.newTenant('pooled'), await database.newTenant('pooled')];
    await ledger.record(first, [usedAt(first, Date.now()), usedAt(first, Date.now() + 2 * MONTH_MS)]);
    await ledger.record(second, [usedAt(second, Date.now())]);
    expect((await partitions('weir_pooled')).filter((name) => /\d{6}$/.test(name))).toEqual([]);
    expect(await upkeepOf([first, second])).toEqual({ made: 2, dropped: 0, deleted: 0 });
    expect(await upkeepOf([first, second])).toEqual({ made: 0, dropped: 0, deleted: 0 });
    const made = (await partitions('weir_pooled')).filter((name) => /\d{6}$/.test(name));
    expect(made).toHaveLength(2);

    expect([await recordsOf(first), await recordsOf(second)]).toEqual([2, 1]);
    for (const part of await partitions('weir_pooled')) {
      await expect(database.work.inTenant(first, (sql) => sql.query(`select * from ${part}`))).rejects.toMatchObject({ code: '42501' });
      const { rows } = await admin.query('select relrowsecurity and relforcerowsecurity as forced from pg_class where oid = $1::regclass', [`weir_pooled.${part}`]);
      expect(rows).toEqual([{ forced: true }]);
    }
    await ledger.record(first, [usedAt(first, Date.now() + 2 * MONTH_MS)]);
    expect(await drift(first)).toEqual({ rows: 0, shown: [] });
  });

  it('are partitions in a tenant’s own schema from the size on where that pays; counting, dedupe and explaining go on over them', async () => {
    const [large, small] = [await database.newTenant(), await database.newTenant()];
    const hold = held({ tenantId: large, eventId: newUuid(Date.now() - MONTH_MS), at: Date.now() - MONTH_MS });
    const before = [usedAt(large, Date.now() - 2 * MONTH_MS), usedAt(large, Date.now()), hold];
    await ledger.record(large, before);
    await ledger.record(small, [usedAt(small, Date.now())]);
    await admin.query(`analyze ${schemaOf(large)}.usage_events`);
    expect(await upkeepOf([large, small], { largeRows: 3 })).toMatchObject({ dropped: 0, deleted: 0 });
    expect(await partitions(schemaOf(large))).toEqual(expect.arrayContaining(['usage_events_before', 'usage_events_default']));
    expect(await partitions(schemaOf(small))).toEqual([]);

    const settlement = settled({ tenantId: large, requestId: hold.requestId });
    expect(await ledger.record(large, [...before, settlement])).toBe(1);
    expect(await recordsOf(large)).toBe(4);
    expect(await charged(large)).toBe(6);
    expect(await new UsageService(database.work).call(large, hold.requestId)).toMatchObject({ attempts: [{ state: 'settled', heldCredits: 2 }] });
    expect(await drift(large)).toEqual({ rows: 0, shown: [] });
  });

  it('make no difference to what a release’s schema is: a partitioned table is no drift', async () => {
    const migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 2 });
    expect(await findSchemaDrift(migrator, collectBundle())).toEqual([]);
    await migrator.end();
  });

  it('are dropped, or their rows deleted, once they are not kept any more; sums stay', async () => {
    const [large, small] = [await database.newTenant(), await database.newTenant()];
    for (const tenant of [large, small]) await ledger.record(tenant, [usedAt(tenant, Date.now() - 6 * MONTH_MS), usedAt(tenant, Date.now() - 6 * MONTH_MS)]);
    await admin.query(`analyze ${schemaOf(large)}.usage_events`);
    await upkeepOf([], { largeRows: 2 });
    await ledger.record(small, [usedAt(small, Date.now())]);
    // its first partition reaches to the end of the month in which it was made: as if that had passed
    await admin.query(`alter table ${schemaOf(large)}.usage_events detach partition ${schemaOf(large)}.usage_events_before`);
    await admin.query(`alter table ${schemaOf(large)}.usage_events attach partition ${schemaOf(large)}.usage_events_before for values from (minvalue) to ('${newUuid(Date.now() - 4 * MONTH_MS).slice(0, 14)}0000-0000-000000000000')`.replace(/'([0-9a-f]{8}-[0-9a-f]{4})-.*?'/, `'$1-0000-0000-000000000000'`));
    expect(await upkeepOf([small], { months: 3, largeRows: 2 })).toMatchObject({ dropped: 1, deleted: 2 });
    expect([await recordsOf(large), await recordsOf(small)]).toEqual([0, 1]);
    expect([await charged(large), await charged(small)]).toEqual([4, 6]);
  });
});

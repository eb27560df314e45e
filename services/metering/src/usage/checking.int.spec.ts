import { systemClock } from '@weir/kernel';
import { eventually } from '@weir/testing';
import { meteringDatabase, type MeteringDatabase } from '../testing/metering-database';
import { settled } from '../testing/samples';
import { RollupChecks, type Check } from './checking';
import { KeptMonths } from './kept-months';
import { UsageLedger } from './ledger';

let database: MeteringDatabase;
beforeAll(async () => {
  database = await meteringDatabase();
}, 60_000);
afterAll(() => database.drop());

describe('the check of sums on a schedule', () => {
  it('puts what it finds on the tenant’s record as metering’s own finding, once, however often it looks', async () => {
    const tenant = await database.newTenant();
    await new UsageLedger(database.work, systemClock).record(tenant, [settled({ tenantId: tenant })]);
    await database.work.inTenant(tenant, (sql) => sql.query('update charged_daily set credits = 7'));
    const checked: Check[] = [];
    const checks = new RollupChecks({ work: database.work, clock: systemClock, kept: new KeptMonths(systemClock, 25), tenants: () => [tenant], onChecked: (check) => checked.push(check), onError: (error) => { throw error; } });
    const stopping = new AbortController();
    const running = checks.run(1, stopping.signal);
    await eventually(() => Promise.resolve(expect(checked.length).toBeGreaterThan(1)));
    stopping.abort();
    await running;
    expect(checked.every(({ rows }) => rows === 2)).toBe(true);
    const { rows } = await database.work.inTenant(tenant, (sql) => sql.query('select type, actor_type, actor_id, action from events order by position'));
    expect(rows).toEqual([{ type: 'usage.drift-found', actor_type: 'service', actor_id: 'metering', action: 'check of sums' }]);
  });
});

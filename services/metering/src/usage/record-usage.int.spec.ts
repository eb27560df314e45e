import type { BusRecord } from '@weir/bus';
import type { Usage } from '@weir/contracts';
import { newId, newUuid, systemClock, type TenantId } from '@weir/kernel';
import type { PlacementKind } from '@weir/tenancy';
import { batch } from '../testing/counting';
import { meteringDatabase, type MeteringDatabase } from '../testing/metering-database';
import { held, served, settled } from '../testing/samples';
import { readUsage } from './entry';
import { UsageLedger } from './ledger';
import { batchOf, recordUsage } from './record-usage';

let database: MeteringDatabase;
let ledger: UsageLedger;
beforeAll(async () => {
  database = await meteringDatabase();
  ledger = new UsageLedger(database.work, systemClock);
}, 60_000);
afterAll(() => database.drop());

const calls = (tenantId: TenantId, count: number): Usage[] =>
  Array.from({ length: count }, () => newId('req')).flatMap((requestId) => [held({ tenantId, requestId }), settled({ tenantId, requestId }), served({ tenantId })]);
const rows = (tenant: TenantId) =>
  database.work.inTenant(tenant, async (sql) => (await sql.query<{ n: number; charged: number }>(`select count(*)::int as n, coalesce(sum(charged_credits) filter (where counts = 'used'), 0)::int as charged from usage_events where tenant_id = $1`, [tenant])).rows[0]);

describe('recording a batch', () => {
  it.each<PlacementKind>(['schema', 'pooled'])('reads what there is of its own attempts and nothing else, however much the tenant has and before there are statistics (%s)', async (kind) => {
    const tenant = await database.newTenant(kind);
    for (let n = 0; n < 3; n++) await ledger.record(tenant, calls(tenant, 500));
    const records = calls(tenant, 20);
    const [early, again] = [records.slice(0, 30), batchOf(records, Date.now())];
    await ledger.record(tenant, early);
    const read = await database.work.inTenant(tenant, async (sql) => {
      await recordUsage(sql, tenant, again);
      const { rows: counted } = await sql.query<{ read: number }>(`select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as read from pg_stat_xact_all_tables where schemaname = current_schema() and relname like 'usage_events%'`);
      return counted[0]?.read;
    });
    expect(read).toBeGreaterThanOrEqual(early.length);
    expect(read).toBeLessThanOrEqual(records.length);
    expect(await rows(tenant)).toEqual({ n: 4_500 + records.length, charged: 4_560 });
  });

  it('refuses one that bears the id of another attempt’s record, and counts nothing of its batch: two records cannot be one', async () => {
    const tenantId = await database.newTenant();
    const known = settled({ tenantId });
    await ledger.record(tenantId, [known]);
    await expect(ledger.record(tenantId, [settled({ tenantId }), settled({ tenantId, eventId: known.eventId })])).rejects.toMatchObject({ code: 'event-id-taken', category: 'invalid' });
    expect(await rows(tenantId)).toEqual({ n: 1, charged: 2 });
  });

  it('counts what moves an attempt furthest, whichever of a batch that is, and of two that say the same the first', async () => {
    const tenantId = await database.newTenant();
    const [first, second] = [settled({ tenantId, chargedCredits: 3, eventId: newUuid(Date.now() - 10) }), settled({ tenantId, chargedCredits: 7 })];
    await ledger.record(tenantId, [{ ...second, requestId: first.requestId }, held({ tenantId, requestId: first.requestId }), first]);
    expect(await rows(tenantId)).toEqual({ n: 3, charged: 3 });
  });

  it.each(['not-a-uuid', '019AA0C4-0000-7000-8000-000000000000', '019aa0c4000070008000000000000000'])('%s is no event id: the record is refused as bad', (eventId) => {
    const [record] = batch([settled({ tenantId: newId('ten'), eventId })]);
    expect(() => readUsage(record as BusRecord, '')).toThrow(expect.objectContaining({ code: 'malformed-usage', category: 'invalid' }));
  });
});

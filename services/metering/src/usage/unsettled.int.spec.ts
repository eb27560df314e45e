import { newId, type TenantId } from '@weir/kernel';
import { schemaOf } from '@weir/tenancy';
import { Client as Postgres } from 'pg';
import { startCounting, type Counting } from '../testing/counting';
import { held, released, settled } from '../testing/samples';
import { UnsettledHolds } from './unsettled';

const DAY_MS = 86_400_000;
const fail = (error: Error): never => {
  throw error;
};

let counting: Counting;
beforeAll(async () => {
  counting = await startCounting();
}, 60_000);
afterAll(() => counting.database.drop());

describe('unsettled holds', () => {
  it('a hold that nobody settles in time counts as unsettled by its upstream credits, charged to nobody', async () => {
    const tenantId = await counting.database.newTenant();
    const hold = held({ tenantId, upstreamCredits: 5, chargedCredits: 5 });
    await counting.ingest(hold);
    expect(await counting.totals(tenantId)).toMatchObject({ unsettledCredits: 0 });
    expect(await counting.overdue(60_000)).toBe(0);
    expect(await counting.overdue()).toBe(1);
    expect(await counting.overdue()).toBe(0);

    expect(await counting.totals(tenantId)).toEqual({ calls: 0, upstreamCredits: 0, unsettledCredits: 5, chargedCredits: 0 });
    expect(await counting.byKey(tenantId)).toMatchObject([{ keyId: 'key_platform', unsettledCredits: 5, chargedCredits: 0 }]);
    expect(await counting.usage.call(tenantId, hold.requestId)).toMatchObject({
      unsettledCredits: 5,
      attempts: [{ state: 'unsettled', heldCredits: 5 }],
    });
  });

  it('a settlement that comes after all replaces it', async () => {
    const tenantId = await counting.database.newTenant();
    const yesterday = Date.now() - DAY_MS;
    const hold = held({ tenantId, upstreamCredits: 5, at: yesterday });
    await counting.ingest(hold);
    await counting.overdue();
    await counting.ingest(settled({ tenantId, requestId: hold.requestId, upstreamCredits: 3, chargedCredits: 3 }));
    await counting.ingest(hold);

    expect(await counting.totals(tenantId)).toEqual({ calls: 1, upstreamCredits: 3, unsettledCredits: 0, chargedCredits: 3 });
    expect(await counting.byKey(tenantId)).toMatchObject([{ upstreamCredits: 3, unsettledCredits: 0 }]);
    expect(await counting.drift(tenantId)).toEqual({ rows: 0, shown: [] });
  });

  it('a release after it takes the doubt away and charges nothing', async () => {
    const tenantId = await counting.database.newTenant();
    const hold = held({ tenantId });
    await counting.ingest(hold);
    await counting.overdue();
    await counting.ingest(released({ tenantId, requestId: hold.requestId }));
    expect(await counting.totals(tenantId)).toEqual({ calls: 0, upstreamCredits: 0, unsettledCredits: 0, chargedCredits: 0 });
  });

  it('two jobs that find the same hold count it once', async () => {
    const tenantId = await counting.database.newTenant();
    await counting.ingest(held({ tenantId, upstreamCredits: 4 }));
    await Promise.all([counting.overdue(), counting.overdue(), counting.overdue()]);
    expect(await counting.totals(tenantId)).toMatchObject({ unsettledCredits: 4 });
  });

  it('the job and the settlements that it meets agree on what counts', async () => {
    const tenantId = await counting.database.newTenant();
    const holds = Array.from({ length: 10 }, () => held({ tenantId, upstreamCredits: 3 }));
    await counting.ingest(...holds);
    const settle = ({ requestId }: { requestId: string }) =>
      counting.ingest(settled({ tenantId, requestId, upstreamCredits: 3, chargedCredits: 3 }));
    await Promise.all([counting.overdue(), ...holds.flatMap((hold) => [settle(hold), settle(hold)]), counting.overdue()]);

    expect(await counting.totals(tenantId)).toEqual({ calls: 10, upstreamCredits: 30, unsettledCredits: 0, chargedCredits: 30 });
    expect(await counting.saidQuota(tenantId)).toMatchObject({ dayCredits: 30 });
    expect(await counting.byKey(tenantId)).toMatchObject([{ upstreamCredits: 30, unsettledCredits: 0 }]);
  });

  it('the holds of a tenant that is gone are cleared, and said', async () => {
    const gone = newId('ten');
    await counting.database.work.inControl((sql) =>
      sql.query(`insert into open_holds (tenant_id, request_id, attempt, key_id, held_at) values ($1, $2, 1, '', now())`, [gone, newId('req')]),
    );
    const errors: unknown[] = [];
    const holds = new UnsettledHolds(counting.database.work, counting.ledger, -1_000, (_, tenant) => errors.push(tenant));
    await holds.find();
    await holds.find();
    expect(errors).toEqual([gone]);
  });

  it('of a tenant that cannot be read now do not hold up those of the others, however many they are', async () => {
    const [broken, well] = [await counting.database.newTenant(), await counting.database.newTenant()];
    await counting.ingest(held({ tenantId: well, upstreamCredits: 4, chargedCredits: 4 }));
    const admin = new Postgres({ connectionString: counting.database.adminUrl });
    await admin.connect();
    await admin.query(`alter table ${schemaOf(broken)}.usage_events rename to usage_events_away`);
    await admin.query(`insert into weir_metering.open_holds (tenant_id, request_id, attempt, key_id, held_at, seen_at) select $1, n::text, 1, '', now(), now() - interval '1 hour' from generate_series(1, 600) n`, [broken]);
    const failed: (TenantId | undefined)[] = [];
    const holds = new UnsettledHolds(counting.database.work, counting.ledger, -1_000, (_, tenant) => failed.push(tenant));
    await holds.find();
    await holds.find();
    expect(failed).toEqual([broken]);
    expect(await counting.totals(well)).toMatchObject({ unsettledCredits: 4 });

    await admin.query(`alter table ${schemaOf(broken)}.usage_events_away rename to usage_events`);
    const later = new UnsettledHolds(counting.database.work, counting.ledger, -1_000, fail);
    await later.find();
    await later.find();
    const { rows } = await admin.query('select count(*)::int as n from weir_metering.open_holds where tenant_id = $1', [broken]);
    await admin.end();
    // they waited for nothing that the tenant's own tables know of
    expect(rows).toEqual([{ n: 0 }]);
  });
});

import { postgresBus, type Bus, type BusRecord } from '@weir/bus';
import { eventsTopic, stateTopic } from '@weir/contracts';
import { eventLog } from '@weir/event-store';
import { sleep, type TenantId } from '@weir/kernel';
import { createPool, unitOfWork } from '@weir/tenancy';
import { eventually } from '@weir/testing';
import { relayLag, startRelay, tenantProgress, waitingTenants, type Relay, type RelayOptions } from './index';
import { ANY_NEWS, LOOK } from './leases';
import { GatedBus } from './testing/gated-bus';
import { Logs } from './testing/tenants';

const TOPIC = eventsTopic('tenant');
const STATES = stateTopic('tenant');

let logs: Logs;
let bus: Bus;
const running: Relay[] = [];
const seen: BusRecord[] = [];

beforeAll(async () => {
  logs = await Logs.open();
  bus = postgresBus({ pool: logs.pool, directUrl: logs.database.urlOf('tenant-registry') });
  await bus.consume({ group: 'weir.spec.relay', topics: [TOPIC], handle: async (batch) => void seen.push(...batch) });
  await bus.follow({ topics: [STATES], apply: (record) => void seen.push(record) });
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((relay) => relay.stop()));
});
afterAll(async () => {
  await bus.close();
  await logs.close();
});

const errors: string[] = [];
function relay(options: Partial<RelayOptions> = {}): Relay {
  const started = startRelay({ work: logs.work, bus, onError: (error) => void errors.push(error.message), ...options });
  running.push(started);
  return started;
}

const of = (tenant: TenantId, topic: string = TOPIC) =>
  seen.filter((record) => record.topic === topic && (record.headers['ce_weirtenant'] ?? record.headers['weir-tenant']) === tenant);
const names = (tenant: TenantId) => of(tenant).map(({ value }) => (JSON.parse(String(value)) as { name: string }).name);
const upTo = (count: number) => Array.from({ length: count }, (_, n) => String(n));
const state = (tenant: TenantId, name: string | null) => ({ topic: STATES, key: tenant, body: name === null ? null : { name } });

describe('the relay', () => {
  it('publishes every event of a log in its order under the id that it has there, and each state with its version', async () => {
    const tenant = await logs.newTenant();
    await logs.append(tenant, 30, { states: [state(tenant, 'first')] });
    await logs.append(tenant, 1, { from: 30, states: [state(tenant, null)] });
    relay({ batch: 7 });
    await eventually(() => expect(names(tenant)).toEqual(upTo(31)));
    const stored = await eventLog(logs.work).read(tenant, { after: 0, limit: 100 });
    expect(of(tenant).map(({ headers }) => headers['ce_id'])).toEqual(stored.map(({ eventId }) => eventId));
    await eventually(() => expect(of(tenant, STATES).at(-1)).toMatchObject({ key: tenant, value: null, headers: { 'weir-version': '31' } }));
    await eventually(async () => expect(await logs.waiting()).toEqual([]));
  });

  it('keeps order and loses nothing while appends go on', async () => {
    const tenants = [await logs.newTenant(), await logs.newTenant(), await logs.newTenant()];
    relay({ batch: 3 });
    await Promise.all(tenants.map((tenant) => logs.append(tenant, 60)));
    for (const tenant of tenants) await eventually(() => expect(names(tenant)).toEqual(upTo(60)));
  });

  it('E4 delivers the others while a transaction of one tenant has its position and does not end', async () => {
    const [stalled, other] = [await logs.newTenant(), await logs.newTenant()];
    await logs.append(stalled, 2);
    const client = await logs.pool.connect();
    await client.query('begin');
    await client.query('select weir.enter($1)', [stalled]);
    await client.query('update log_heads set position = position where tenant_id = $1', [stalled]);
    await client.query('select weir.mark_news()');
    relay();
    await logs.append(other, 5);
    await eventually(() => expect(names(other)).toEqual(upTo(5)), 3_000);
    // and what that tenant had committed before is out as well
    expect(names(stalled)).toEqual(upTo(2));
    const waiting = logs.append(stalled, 1, { from: 2 });
    await client.query('rollback');
    client.release();
    await waiting;
    await eventually(() => expect(names(stalled)).toEqual(upTo(3)));
  });

  it('E4 delivers the others while the publishing of one tenant hangs, and while its schema is locked', async () => {
    const [hanging, locked, other] = [await logs.newTenant(), await logs.newTenant(), await logs.newTenant()];
    const gated = new GatedBus(bus);
    gated.holds = (records) => records.some(({ headers }) => headers['ce_weirtenant'] === hanging);
    const admin = await logs.admin.connect();
    await logs.append(hanging, 1);
    await logs.append(locked, 1);
    await admin.query('begin');
    await admin.query(`lock table t_${locked.slice(4)}.events in access exclusive mode`);
    relay({ bus: gated.bus });
    await gated.heldUp();
    await logs.append(other, 5);
    await eventually(() => expect(names(other)).toEqual(upTo(5)), 3_000);
    await admin.query('rollback');
    admin.release();
    gated.open();
    await eventually(() => expect([names(hanging), names(locked)]).toEqual([upTo(1), upTo(1)]));
  });

  it('E6 keeps the order when its lease passes to another during a publish, and refuses the mark of the one that had it', async () => {
    const tenant = await logs.newTenant();
    await logs.append(tenant, 3, { states: [state(tenant, 'old')] });
    const stale = new GatedBus(bus);
    stale.holds = () => true;
    // a pool of its own, so that its renewals can be cut off as a pause of its process would
    const pool = createPool({ url: logs.database.urlOf('tenant-registry'), name: 'spec/stale', max: 3 });
    relay({ work: unitOfWork(pool, 'tenant-registry'), bus: stale.bus, leaseMs: 300 });
    await stale.heldUp();
    const query = pool.query.bind(pool);
    pool.query = ((text: string, ...rest: never[]) =>
      /set lease_until = now\(\) \+ \$3 .* from mine/s.test(text) ? new Promise(() => undefined) : query(text, ...rest)) as typeof pool.query;

    relay({ leaseMs: 300 });
    await eventually(() => expect(names(tenant)).toEqual(upTo(3)));
    await logs.append(tenant, 3, { from: 3, states: [state(tenant, 'new')] });
    await eventually(() => expect(names(tenant)).toEqual(upTo(6)));
    const before = await checkpoint(tenant);

    errors.length = 0;
    stale.open();
    await eventually(() => expect(errors).toContainEqual(expect.stringContaining('has passed to another relay')));
    expect(await checkpoint(tenant)).toBeGreaterThanOrEqual(before);
    // its records came late and once more, under their own ids: the order in which ids are seen first is the log's
    await eventually(() => expect(names(tenant).length).toBeGreaterThanOrEqual(9));
    expect([...new Set(names(tenant))]).toEqual(upTo(6));
    // its old state came last; so what is in force is said once more, and stands behind it
    await eventually(() => expect(of(tenant, STATES).map(({ value }) => String(value))).toContain('{"name":"old"}'));
    await eventually(() => expect(JSON.parse(String(of(tenant, STATES).at(-1)?.value))).toEqual({ name: 'new' }));
    await Promise.all(running.splice(0).map((one) => one.stop()));
    await pool.end();
  });

  it('shares the tenants among several relays, each tenant with one at a time', async () => {
    const tenants = await Promise.all(Array.from({ length: 8 }, () => logs.newTenant()));
    const inHand = new Set<string>();
    const by = [0, 0, 0];
    const watched = (index: number): Bus => ({
      ...bus,
      publish: async (records) => {
        const tenant = records[0]?.headers['ce_weirtenant'] ?? '';
        if (inHand.has(tenant)) throw new Error(`${tenant} is with two relays`);
        by[index] = (by[index] ?? 0) + 1;
        inHand.add(tenant);
        await sleep(10);
        await bus.publish(records).finally(() => inHand.delete(tenant));
      },
    });
    errors.length = 0;
    for (let index = 0; index < 3; index++) relay({ bus: watched(index), atOnce: 2 });
    await Promise.all(tenants.map((tenant) => logs.append(tenant, 20)));
    for (const tenant of tenants) await eventually(() => expect(names(tenant)).toEqual(upTo(20)));
    expect(errors).toEqual([]);
    for (const turns of by) expect(turns).toBeGreaterThan(0);
  });

  it('holds its lease for as long as a publish takes', async () => {
    const tenant = await logs.newTenant();
    await logs.append(tenant, 1);
    const slow = new GatedBus(bus);
    slow.holds = () => true;
    relay({ bus: slow.bus, leaseMs: 300 });
    await slow.heldUp();
    relay({ leaseMs: 300 });
    await sleep(1_000);
    expect(names(tenant)).toEqual([]);
    slow.open();
    await eventually(() => expect(names(tenant)).toEqual(upTo(1)));
    await sleep(100);
    expect(names(tenant)).toEqual(upTo(1));
  });

  it('gives its tenants back when it stops', async () => {
    const tenant = await logs.newTenant();
    const first = relay({ leaseMs: 60_000 });
    await logs.append(tenant, 1);
    await eventually(() => expect(names(tenant)).toEqual(upTo(1)));
    await first.stop();
    relay();
    await logs.append(tenant, 1, { from: 1 });
    await eventually(() => expect(names(tenant)).toEqual(upTo(2)), 2_000);
  });

  it('says how far behind it is, in total and of the tenants that are furthest behind', async () => {
    const [one, two] = [await logs.newTenant(), await logs.newTenant()];
    await logs.append(one, 3);
    await sleep(50);
    await logs.append(two, 5);
    const lag = await relayLag([logs.work.direct]);
    expect(lag).toMatchObject({ tenants: 2, events: 8, reEmitting: 0, worst: [{ tenant: one, events: 3 }, { tenant: two, events: 5 }] });
    expect(lag.seconds).toBeGreaterThan(0.05);
    relay();
    await eventually(async () => expect(await relayLag([logs.work.direct])).toEqual({ tenants: 0, events: 0, seconds: 0, reEmitting: 0, worst: [] }));
  });

  it('says of any tenant how far its log is published, and of all that wait who waits longest, over several databases and page by page', async () => {
    const [one, two] = [await logs.newTenant(), await logs.newTenant()];
    await logs.append(one, 3);
    await logs.append(two, 5);
    // one database asked twice, as two would be
    const databases = [logs.work.direct, logs.work.direct];
    const [first] = await waitingTenants(databases, { limit: 1 });
    expect(first).toMatchObject({ tenant: one, events: 3, reEmitting: false });
    expect(await waitingTenants(databases, { limit: 10, after: first })).toMatchObject([{ tenant: two, events: 5 }, { tenant: two, events: 5 }]);
    expect((await waitingTenants(databases, { limit: 3 })).map(({ tenant }) => tenant)).toEqual([one, one, two]);
    expect(await tenantProgress(databases, two)).toMatchObject({ tenant: two, events: 5, published: 0, caughtUpAt: null });
    relay();
    await eventually(async () => expect(await tenantProgress(databases, two)).toMatchObject({ events: 0, seconds: 0, published: 5, caughtUpAt: expect.any(Number) }));
    expect(await waitingTenants(databases, { limit: 10 })).toEqual([]);
  });

  it('looks for news at a price that does not grow with the tenants that have none: with 10,000 of them it reads no more pages', async () => {
    const few = await priceOfLook();
    await logs.admin.query(`insert into weir.relay_checkpoints (tenant_id, lease_until) select 'ten_idle' || n, now() from generate_series(1, 10000) n`);
    expect(await priceOfLook()).toBeLessThanOrEqual(few);
    await logs.admin.query('analyze weir.news, weir.relay_checkpoints');
    expect(await priceOfLook()).toBeLessThanOrEqual(few);
  });
});

async function checkpoint(tenant: TenantId): Promise<number> {
  const { rows } = await logs.admin.query('select position from weir.relay_checkpoints where tenant_id = $1', [tenant]);
  return Number(rows[0].position);
}

/** Pages that looking touches while there is no news. */
async function priceOfLook(): Promise<number> {
  expect(await logs.waiting()).toEqual([]);
  const [look, any] = [await pagesOf(LOOK, ['nobody', 1_000, 32]), await pagesOf(ANY_NEWS, [])];
  return look + any;
}

async function pagesOf(statement: string, values: unknown[]): Promise<number> {
  const client = await logs.pool.connect();
  try {
    // the first times it is planned, for which catalogs are read
    for (let times = 0; times < 8; times++) await client.query(statement, values);
    const { rows } = await client.query(`explain (analyze, buffers, format json) ${statement}`, values);
    const { Plan: root } = rows[0]['QUERY PLAN'][0];
    return root['Shared Hit Blocks'] + root['Shared Read Blocks'];
  } finally {
    client.release();
  }
}

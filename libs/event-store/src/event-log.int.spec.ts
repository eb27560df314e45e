import { fact, newId, type CommandContext, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, provisioner, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { Client, type Pool } from 'pg';
import { chainStart, follow } from '@weir/audit-format';
import { append, eventLog, readEvents, type EventLog } from './index';

let database: TestDatabase;
let pool: Pool;
let migrator: Pool;
let work: UnitOfWork;
let log: EventLog;

beforeAll(async () => {
  database = await freshDatabase();
  pool = createPool({ url: database.urlOf('tenant-registry'), name: 'spec', max: 20 });
  migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 2 });
  work = unitOfWork(pool, 'tenant-registry');
  log = eventLog(work);
});
afterAll(async () => {
  await Promise.all([pool.end(), migrator.end()]);
  await database.drop();
});

async function newTenant(): Promise<TenantId> {
  const id = newId('ten');
  await provisioner(migrator, collectBundle()).provision(id, 'schema');
  return id;
}

const by = (commandId: string): CommandContext => ({ actor: { type: 'operator', id: 'op' }, commandId, at: Date.now(), action: 'spec' });
const renamed = (name: string) => fact('tenant.renamed', { name });
const rename = (tenant: TenantId, commandId: string, expected: number | 'none' | 'exists' | 'any', names = [commandId]) =>
  log.append({ tenant, stream: 'tenant/x', expected, events: names.map(renamed), context: by(commandId) });

describe('the event log', () => {
  it('E1 lets one of two appends at the same version win, and tells the other the actual version', async () => {
    const tenant = await newTenant();
    await rename(tenant, 'first', 'none');
    const outcomes = await Promise.all([rename(tenant, 'a', 1), rename(tenant, 'b', 1, ['b1', 'b2'])]);
    const won = outcomes.find(({ outcome }) => outcome === 'appended');
    const lost = outcomes.find(({ outcome }) => outcome === 'conflict');
    expect(lost).toEqual({ outcome: 'conflict', version: won?.version });
  });

  it('E2 gives 20 parallel appends the positions 1 to 20 without a gap, and a storm of conflicts leaves none', async () => {
    const tenant = await newTenant();
    const appended = await Promise.all(Array.from({ length: 20 }, (_, n) => rename(tenant, `c${n}`, 'any')));
    expect(appended.map((one) => ('first' in one ? one.first : 0)).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));

    const storm = await Promise.all(Array.from({ length: 200 }, (_, n) => rename(tenant, `s${n}`, 3)));
    expect(new Set(storm.map(({ outcome }) => outcome))).toEqual(new Set(['conflict']));
    const events = await log.read(tenant, { after: 0, limit: 100 });
    expect(events.map(({ position }) => position)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });

  it("E3 refuses 'none' on a stream that exists, and returns a repeated command its first result", async () => {
    const tenant = await newTenant();
    const first = await rename(tenant, 'once', 'none', ['x', 'y']);
    expect(first).toEqual({ outcome: 'appended', version: 2, first: 1, last: 2 });
    expect(await rename(tenant, 'again', 'none')).toEqual({ outcome: 'conflict', version: 2 });
    await rename(tenant, 'later', 'any');
    expect(await rename(tenant, 'once', 'none', ['x', 'y'])).toEqual({ ...first, outcome: 'repeated' });
    expect(await log.read(tenant, { after: 0, limit: 10 })).toHaveLength(3);
  });

  it("E4 lets a stalled transaction of one tenant hold up that tenant's appends and nobody else's", async () => {
    const [a, b] = [await newTenant(), await newTenant()];
    let release = () => {};
    let hasPosition = () => {};
    const positioned = new Promise<void>((resolve) => (hasPosition = resolve));
    const stalled = work.inTenant(a, async (sql) => {
      await append(sql, { tenant: a, stream: 'tenant/x', expected: 'any', events: [renamed('stalled')], context: by('stalled') });
      hasPosition();
      await new Promise<void>((resolve) => (release = resolve));
    });
    await positioned;
    let aDone = false;
    const waiting = rename(a, 'waits', 'any').then(() => (aDone = true));
    for (let n = 0; n < 10; n++) await rename(b, `b${n}`, 'any');
    expect(aDone).toBe(false);
    release();
    await Promise.all([stalled, waiting]);
    expect((await log.read(a, { after: 0, limit: 10 })).map(({ position, commandId }) => [position, commandId])).toEqual([
      [1, 'stalled'],
      [2, 'waits'],
    ]);
  });

  it('chains each event by a hash that can be computed again from what is read, multi-byte text and all', async () => {
    const tenant = await newTenant();
    await rename(tenant, 'a', 'none', ['plain', 'ünïcødé 🦭', '"quotes" \\ and\nlines']);
    await log.append({ tenant, stream: 'tenant/x', expected: 'any', events: [renamed('with a reason')], context: { ...by('b'), reason: 'because', requestId: 'req', causationId: null as never } });
    const chain = follow(chainStart(tenant), await log.read(tenant, { after: 0, limit: 10 }));
    expect(chain).toMatchObject({ position: 4, events: 4, firstBreak: undefined });
  });

  it('writes the login of the session as the author, whatever the caller says', async () => {
    const tenant = await newTenant();
    await rename(tenant, 'a', 'none');
    const vault = createPool({ url: database.urlOf('key-vault'), name: 'spec/vault', max: 1 });
    await eventLog(unitOfWork(vault, 'key-vault')).append({ tenant, stream: 'k/1', expected: 'none', events: [renamed('b')], context: by('b') });
    await vault.end();
    expect((await log.read(tenant, { after: 0, limit: 10 })).map(({ author }) => author)).toEqual(['weir_tenant_registry', 'weir_key_vault']);
    const forged = work.inTenant(tenant, (sql) => sql.query(`insert into events select tenant_id, position + 9, gen_random_uuid(), stream, version + 9, type, schema_version, data, occurred_at, recorded_at, 'weir_key_vault', actor_type, actor_id, action, reason, request_id, causation_id, correlation_id, command_id, content_hash, chain_hash from events where position = 1`));
    await expect(forged).rejects.toThrow(/row-level security/);
  });

  it('is append-only: neither the service that wrote an event nor a superuser updates, deletes or truncates it in passing', async () => {
    const tenant = await newTenant();
    await rename(tenant, 'a', 'none');
    const change = (statement: string) => work.inTenant(tenant, (sql) => sql.query(statement));
    await expect(change("update events set data = '{}'")).rejects.toThrow(/permission denied/);
    await expect(change('delete from events')).rejects.toThrow(/permission denied/);
    const admin = new Client({ connectionString: database.adminUrl });
    await admin.connect();
    const schema = `t_${tenant.slice(4)}`;
    await expect(admin.query(`update ${schema}.events set data = '{}'`)).rejects.toThrow(/append-only/);
    await expect(admin.query(`truncate ${schema}.events`)).rejects.toThrow(/append-only/);
    await admin.end();
  });

  it('loads, decides and appends; a decision that finds itself done appends nothing', async () => {
    const tenant = await newTenant();
    const aggregate = { initial: [] as string[], evolve: (names: string[], event: ReturnType<typeof renamed>) => [...names, event.data.name] };
    const decide = (name: string, commandId: string) =>
      log.decide({ tenant, stream: 'n/1', aggregate, decide: (names) => (names.includes(name) ? [] : [renamed(name)]), context: by(commandId) });
    expect(await decide('a', '1')).toMatchObject({ version: 1, state: ['a'] });
    expect(await decide('a', '2')).toMatchObject({ version: 1, events: [] });
    const raced = await Promise.all(['b', 'c', 'd', 'e'].map((name) => decide(name, name)));
    expect(raced.map(({ version }) => version).sort()).toEqual([2, 3, 4, 5]);
  });

  it('keeps one stream apart from another and reads one alone', async () => {
    const tenant = await newTenant();
    for (const stream of ['a/1', 'b/1', 'a/1']) await log.append({ tenant, stream, expected: 'any', events: [renamed(stream)], context: by(newId('op')) });
    const only = await work.inTenant(tenant, (sql) => readEvents(sql, tenant, { after: 0, limit: 10, stream: 'a/1' }));
    expect(only.map(({ version, position }) => [version, position])).toEqual([[1, 1], [2, 3]]);
  });
});

import { chainStart, follow } from '@weir/audit-format';
import { stateTopic } from '@weir/contracts';
import { fact, newId, type CommandContext, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, provisioner, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import type { Pool } from 'pg';
import { append, publishStates, type Append, type Appended } from './append';
import { eventLog, type EventLog } from './event-log';
import { groupAppend } from './group-append';

let database: TestDatabase;
let pools: Pool[];
let work: UnitOfWork;
let log: EventLog;

beforeAll(async () => {
  database = await freshDatabase();
  pools = [];
  work = unitOfWork(open('tenant-registry', 5), 'tenant-registry');
  log = eventLog(work);
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  await database.drop();
});

function open(service: 'tenant-registry' | 'key-vault', max: number): Pool {
  const pool = createPool({ url: database.urlOf(service), name: 'spec', max });
  pools.push(pool);
  return pool;
}

async function newTenant(): Promise<TenantId> {
  const migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 1 });
  const id = newId('ten');
  await provisioner(migrator, collectBundle()).provision(id, 'schema');
  await migrator.end();
  return id;
}

const by = (commandId: string): CommandContext => ({ actor: { type: 'operator', id: 'op' }, commandId, at: Date.now(), action: 'spec' });
const of = (tenant: TenantId, stream: string, commandId: string, rest: Partial<Append> = {}): Append => ({
  tenant,
  stream,
  expected: 'any',
  events: [fact('tenant.renamed', { name: commandId })],
  context: by(commandId),
  ...rest,
});

/** Appends as a service does it, and how many statements that took. */
function counting(): { send: (request: Append) => Promise<Appended>; statements: () => number } {
  let statements = 0;
  const send = groupAppend({ directIn: (tenant) => (statements++, work.directIn(tenant)) });
  return { send, statements: () => statements };
}

/** Holds up a tenant's log with a transaction that has appended and does not end until it is released. */
async function hold(tenant: TenantId, work: UnitOfWork): Promise<{ log: EventLog; release: () => void; ended: Promise<undefined> }> {
  let release = () => {};
  let hasPosition = () => {};
  const positioned = new Promise<void>((resolve) => (hasPosition = resolve));
  const ended = work.inTenant(tenant, async (sql) => {
    await append(sql, of(tenant, 's', 'stalls'));
    hasPosition();
    await new Promise<void>((resolve) => (release = resolve));
    return undefined;
  });
  await positioned;
  return { log: eventLog(work), release: () => release(), ended };
}

const positionsOf = async (tenant: TenantId) => (await log.read(tenant, { after: 0, limit: 5_000 })).map(({ position }) => position);
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

describe('appends of one tenant that come at once', () => {
  it('go together: what arrives while statements are in flight goes with the next, over several streams', async () => {
    const tenant = await newTenant();
    const { send, statements } = counting();
    const sent = await Promise.all(upTo(100).map((n) => send(of(tenant, `s/${n % 7}`, `c${n}`))));
    expect(statements()).toBeLessThan(10);
    expect(sent.map((one) => ('first' in one ? one.first : 0)).sort((a, b) => a - b)).toEqual(upTo(100));
    const chain = follow(chainStart(tenant), await log.read(tenant, { after: 0, limit: 200 }));
    expect(chain).toMatchObject({ position: 100, firstBreak: undefined });
  });

  it('go together in their order where they are few', async () => {
    const tenant = await newTenant();
    const { send, statements } = counting();
    const sent = await Promise.all(upTo(12).map((n) => send(of(tenant, 's', `c${n}`))));
    expect(statements()).toBe(2);
    expect(sent.map((one) => ('first' in one ? one.first : 0))).toEqual(upTo(12));
  });

  it('are judged as they are alone, answer for answer', async () => {
    const [alone, together] = [await newTenant(), await newTenant()];
    const two = [fact('tenant.renamed', { name: 'x' }), fact('tenant.renamed', { name: 'y' })];
    const story = (tenant: TenantId) =>
      ([
        ['a', 'none', 1], ['b', 'none', 1], ['c', 'exists', 1], ['d', 2, 2], ['e', 3, 1], ['f', 4, 1], ['g', 9, 1], ['h', 'any', 1], ['a', 'none', 1], ['d', 2, 2], ['h', 6, 1],
      ] as const).map(([command, expected, events]) => of(tenant, 's', command, { expected, events: two.slice(0, events) }));
    const answers: Appended[] = [];
    for (const one of story(alone)) answers.push(await log.append(one));
    expect(answers.map(({ outcome, version }) => `${outcome} ${version}`)).toEqual([
      'appended 1', 'conflict 1', 'appended 2', 'appended 4', 'conflict 4', 'appended 5', 'conflict 5', 'appended 6', 'repeated 1', 'repeated 4', 'repeated 6',
    ]);
    // something in flight, so that the others wait for one another
    const [, ...sent] = await Promise.all([log.append(of(together, 'other', 'first')), ...story(together).map((one) => log.append(one))]);
    const later = (one: Appended): Appended => ('first' in one ? { ...one, first: one.first + 1, last: one.last + 1 } : one);
    expect(sent).toEqual(answers.map(later));
    const needsOne = of(alone, 'new', 'x', { expected: 'exists' });
    expect(await log.append(needsOne)).toEqual({ outcome: 'conflict', version: 0 });
  });

  it('are a statement each where nobody else writes', async () => {
    const tenant = await newTenant();
    const { send, statements } = counting();
    for (const n of upTo(5)) await send(of(tenant, 's', `c${n}`));
    expect(statements()).toBe(5);
  });

  it('E1 are judged in their order: those that conflict learn the actual version and hinder no other', async () => {
    const tenant = await newTenant();
    const { send, statements } = counting();
    const outcomes = await Promise.all([
      send(of(tenant, 'opens', 'in flight')),
      send(of(tenant, 's', 'first', { expected: 'none' })),
      send(of(tenant, 's', 'late', { expected: 'none' })),
      send(of(tenant, 's', 'second', { expected: 1, events: [fact('tenant.renamed', { name: 'x' }), fact('tenant.renamed', { name: 'y' })] })),
      send(of(tenant, 's', 'stale', { expected: 1 })),
      send(of(tenant, 'new', 'needs one', { expected: 'exists' })),
      send(of(tenant, 's', 'third', { expected: 3 })),
    ]);
    expect(statements()).toBe(2);
    expect(outcomes.map((one) => [one.outcome, one.version])).toEqual([
      ['appended', 1],
      ['appended', 1],
      ['conflict', 1],
      ['appended', 3],
      ['conflict', 3],
      ['conflict', 0],
      ['appended', 4],
    ]);
    expect(await positionsOf(tenant)).toEqual(upTo(5));
  });

  it('E3 give a retry that comes with its first try the first result', async () => {
    const tenant = await newTenant();
    const { send } = counting();
    const both = [fact('tenant.renamed', { name: 'x' }), fact('tenant.renamed', { name: 'y' })];
    await send(of(tenant, 's', 'before'));
    const [, first, again] = await Promise.all(['other', 'once', 'once'].map((command) => send(of(tenant, 's', command, { events: both }))));
    expect(first).toEqual({ outcome: 'appended', version: 5, first: 4, last: 5 });
    expect(again).toEqual({ outcome: 'repeated', version: 5, first: 4, last: 5 });
    expect(await positionsOf(tenant)).toHaveLength(5);
  });

  it('E3 give a retry the first result when both are in flight, each with others', async () => {
    const tenant = await newTenant();
    const { send } = counting();
    const commands = upTo(90).map((n) => `c${n % 30}`);
    const sent = await Promise.all(commands.map((command) => send(of(tenant, 's', command))));
    const resultOf = new Map(commands.map((command, place) => [command, { ...sent[place], outcome: 'any' }]));
    commands.forEach((command, place) => expect({ ...sent[place], outcome: 'any' }).toEqual(resultOf.get(command)));
    expect(sent.filter(({ outcome }) => outcome === 'appended')).toHaveLength(30);
    expect(await positionsOf(tenant)).toEqual(upTo(30));
  });

  it('fail alone when the database refuses one', async () => {
    const tenant = await newTenant();
    const topic = stateTopic('tenant');
    const vault = unitOfWork(open('key-vault', 1), 'key-vault');
    await vault.inTenant(tenant, (sql) => publishStates(sql, [{ topic, key: 'theirs', body: {} }]));
    const { send } = counting();
    const outcomes = await Promise.allSettled([
      send(of(tenant, 's', 'in flight')),
      send(of(tenant, 's', 'good')),
      // a state of another service's
      send(of(tenant, 's', 'bad', { states: [{ topic, key: 'theirs', body: { stolen: true } }] })),
      send(of(tenant, 's', 'good too', { states: [{ topic, key: 'ours', body: {} }] })),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[2]).toMatchObject({ reason: { message: expect.stringContaining('row-level security') } });
    expect((await log.read(tenant, { after: 0, limit: 10 })).map(({ commandId }) => commandId)).toEqual(['in flight', 'good', 'good too']);
  });

  it('say of one thing what the last of them says', async () => {
    const tenant = await newTenant();
    const topic = stateTopic('tenant');
    const { send } = counting();
    await Promise.all(upTo(20).map((n) => send(of(tenant, 's', `c${n}`, { states: [{ topic, key: 'k', body: { n } }] }))));
    const { rows } = await work.inTenant(tenant, (sql) => sql.query("select version, body from published_states where key = 'k'"));
    expect(rows).toEqual([{ version: '20', body: '{"n":20}' }]);
  });

  it('E2 from several processes, alone and in transactions of their own, leave no gap and deadlock nobody', async () => {
    const tenant = await newTenant();
    const other = unitOfWork(open('key-vault', 5), 'key-vault');
    const logs = [log, eventLog(other)];
    const aggregate = { initial: 0, evolve: (n: number) => n + 1 };
    const also = async () => undefined;
    await Promise.all(
      upTo(120).map((n) => {
        const one = logs[n % 2] as EventLog;
        if (n % 3 > 0) return one.append(of(tenant, `s/${n % 5}`, `c${n}`));
        return one.decide({ tenant, stream: `d/${n % 15}`, aggregate, decide: () => [fact('tenant.renamed', { name: 'd' })], context: by(`c${n}`), also });
      }),
    );
    const chain = follow(chainStart(tenant), await log.read(tenant, { after: 0, limit: 200 }));
    expect(chain).toMatchObject({ position: 120, events: 120, firstBreak: undefined });
  });

  it('E4 take one connection of the pool while their tenant is held up, however many wait, and go in their order', async () => {
    const [stalled, lively] = [await newTenant(), await newTenant()];
    // one holds, one waits, one is for the other tenant
    const three = unitOfWork(open('tenant-registry', 3), 'tenant-registry');
    const held = await hold(stalled, three);
    const waiting = upTo(50).map((n) => held.log.append(of(stalled, 's', `w${n}`)));
    await Promise.all(upTo(30).map((n) => held.log.append(of(lively, 's', `l${n}`))));
    expect(await positionsOf(lively)).toEqual(upTo(30));
    held.release();
    const written = await Promise.all([...waiting, held.ended]);
    expect(written.slice(0, 50).map((one) => one?.version)).toEqual(upTo(51).slice(1));
  });

  it('E14 fail with their session when the server ends it; who comes next goes on another', async () => {
    const tenant = await newTenant();
    const held = await hold(tenant, unitOfWork(open('tenant-registry', 3), 'tenant-registry'));
    const waiting = Promise.allSettled(upTo(25).map((n) => held.log.append(of(tenant, 's', `w${n}`))));
    const admin = createPool({ url: database.adminUrl, name: 'spec/admin', max: 1 });
    pools.push(admin);
    const end = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'advisory' and datname = current_database()";
    await eventually(async () => expect((await admin.query(end)).rows).toEqual([{ pg_terminate_backend: true }]));
    for (const one of await waiting) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'database-unavailable' } });
    const next = held.log.append(of(tenant, 's', 'next'));
    held.release();
    await held.ended;
    expect(await next).toMatchObject({ outcome: 'appended', version: 2 });
  });

  it('E2 leave no gap in a storm of conflicts', async () => {
    const tenant = await newTenant();
    await log.append(of(tenant, 's', 'first'));
    const storm = await Promise.all(upTo(2_000).map((n) => log.append(of(tenant, 's', `c${n}`, n % 100 === 0 ? {} : { expected: 0 }))));
    expect(storm.filter(({ outcome }) => outcome === 'conflict')).toHaveLength(1_980);
    expect(await positionsOf(tenant)).toEqual(upTo(21));
  });
});

import { fork } from 'node:child_process';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { AppError, sleep } from '@weir/kernel';
import { eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { Pool } from 'pg';
import { Recorder, Rig, series, text } from '../testing/rig';
import { postgresBus } from './postgres-bus';
import { Trimming } from './trimming';

describe('Postgres bus in trouble', () => {
  let database: TestDatabase;
  let pool: Pool;
  let admin: Pool;
  let rig: Rig;
  beforeAll(async () => {
    database = await freshDatabase();
    pool = new Pool({ connectionString: database.urlOf('metering'), max: 10 });
    admin = new Pool({ connectionString: database.adminUrl, max: 2 });
  });
  afterAll(async () => {
    await Promise.all([pool.end(), admin.end()]);
    await database.drop();
  });
  beforeEach(() => {
    rig = new Rig({
      open: (onError = () => undefined) => postgresBus({ pool, directUrl: database.urlOf('metering'), onError }),
      release: () => Promise.reject(new Error('nothing is parked here')),
      parked: async () => [],
      putLarge: async () => undefined,
    });
  });
  afterEach(() => rig.close());

  const cutListeners = () =>
    admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'weir-bus' and datname = current_database()`,
    );

  it('goes on by polling when its listening connection is lost, and listens again', async () => {
    const topic = await rig.topic();
    const seen = new Recorder();
    await rig.bus.consume({ group: rig.group(), topics: [topic], handle: seen.handle });
    await cutListeners();
    await rig.bus.publish(series(topic, 10, 5));
    await eventually(() => expect(seen.records).toHaveLength(10));
    await eventually(async () => {
      const { rows } = await admin.query(
        `select 1 from pg_stat_activity where application_name = 'weir-bus' and datname = current_database()`,
      );
      expect(rows).toHaveLength(1);
    });
    await rig.bus.publish(series(topic, 10, 5, 10));
    await eventually(() => expect(seen.records).toHaveLength(20));
  });

  it('reads without any direct connection, by polling', async () => {
    const topic = await rig.topic({ cleanup: 'compact', retentionMs: -1 });
    const errors: Error[] = [];
    const bus = postgresBus({
      pool,
      directUrl: 'postgres://nobody@127.0.0.1:1/nowhere',
      onError: (error) => void errors.push(error),
    });
    const seen = new Recorder();
    await bus.consume({ group: rig.group(), topics: [topic], handle: seen.handle });
    const following = await bus.follow({ topics: [topic], apply: () => undefined });
    await rig.bus.publish([text(topic, 'k', 'v')]);
    await eventually(() => expect(seen.values()).toEqual(['v']));
    await following.caughtUp();
    expect(errors[0]?.message).toContain('polling until there is');
    await bus.close();
  });

  it('takes over from a process that was killed as soon as its connection is gone, from where it had committed', async () => {
    const topic = await rig.topic();
    const group = rig.group();
    await rig.bus.publish(series(topic, 30, 10));
    const process = fork(join(__dirname, '../testing/member.ts'), [database.urlOf('metering'), group, topic], {
      execArgv: ['--require', join(__dirname, '../../../../tools/build/register.cjs')],
    });
    const handled = await new Promise<number>((resolve) => process.once('message', (count) => resolve(count as number)));
    expect(handled).toBe(30);
    process.kill('SIGKILL');
    await new Promise((resolve) => process.once('exit', resolve));

    await rig.bus.publish(series(topic, 30, 10, 30));
    const seen = new Recorder();
    const began = performance.now();
    await rig.bus.consume({ group, topics: [topic], handle: seen.handle });
    await eventually(() => expect(new Set(seen.values()).size).toBeGreaterThanOrEqual(30));
    expect(performance.now() - began).toBeLessThan(4_000);
  });

  it('refuses the commit of a member that was taken for dead: its records come again, to the one that holds the partition', async () => {
    const topic = await rig.topic({ partitions: 1 });
    const group = rig.group();
    const [slow, taker] = [new Recorder(), new Recorder()];
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    await rig.bus.publish(series(topic, 5, 1));
    await rig.bus.consume({
      group,
      topics: [topic],
      handle: async (batch) => {
        begun.resolve();
        await goOn.promise;
        await slow.handle(batch);
      },
    });
    await begun.promise;
    await admin.query('delete from weir_bus.sessions');
    const consumption = await rig.open().consume({ group, topics: [topic], handle: taker.handle });
    await eventually(() => expect(taker.records).toHaveLength(5));
    goOn.resolve();
    await eventually(() => expect(slow.records).toHaveLength(5));
    await eventually(async () => expect((await consumption.lag())[0]?.lag).toBe(0));
    await rig.bus.publish(series(topic, 5, 1, 5));
    await eventually(() => expect(new Set([...slow.values(), ...taker.values()]).size).toBe(10));
  });

  it('refuses a record that the database cannot hold, and lets the calls beside it through', async () => {
    const topic = await rig.topic();
    const answers = await Promise.allSettled([
      rig.bus.publish([text(topic, 'a', '1')]),
      rig.bus.publish([text(topic, 'nul \u0000', '2')]),
      rig.bus.publish([text(topic, 'c', '3')]),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(answers[1]).toMatchObject({ reason: expect.objectContaining({ code: 'bad-record' }) });
    expect((answers[1] as PromiseRejectedResult).reason).toBeInstanceOf(AppError);
  });

  it('trims what is past its topic’s retention and nothing else', async () => {
    const [short, long, state] = [
      await rig.topic({ retentionMs: 60_000 }),
      await rig.topic(),
      await rig.topic({ cleanup: 'compact', retentionMs: -1 }),
    ];
    await rig.bus.publish([...series(short, 10, 5), ...series(long, 10, 5), text(state, 'kept', '1'), text(state, 'gone', null)]);
    await admin.query(`update weir_bus.records set at = now() - interval '25 hours' where topic = any($1)`, [[short, state]]);
    await admin.query(`update weir_bus.records set at = now() - interval '59 minutes' where topic = $1`, [long]);
    await rig.bus.publish([text(short, 'new', 'new')]);
    expect(await new Trimming(pool, () => undefined).trim()).toBe(11);

    const seen = new Recorder();
    const consumption = await rig.bus.consume({ group: rig.group(), topics: [short, long, state], handle: seen.handle });
    await eventually(() => expect(seen.records).toHaveLength(12));
    expect(seen.values().filter((value) => value === 'new')).toHaveLength(1);
    await eventually(async () => expect((await consumption.lag()).every(({ lag }) => lag === 0)).toBe(true));
  });

  it('keeps one record per key of a compacted topic', async () => {
    const topic = await rig.topic({ cleanup: 'compact', retentionMs: -1 });
    for (let version = 1; version <= 20; version++)
      await rig.bus.publish([text(topic, 'a', String(version)), text(topic, 'b', String(version))]);
    const { rows } = await admin.query<{ n: string }>('select count(*) as n from weir_bus.records where topic = $1', [topic]);
    expect(rows[0]?.n).toBe('2');
  });

  it('costs an idle process one or two statements a second, however many consumers it has', async () => {
    const topics = await Promise.all(Array.from({ length: 12 }, () => rig.topic({ partitions: 6 })));
    for (const topic of topics) await rig.bus.consume({ group: rig.group(), topics: [topic], handle: async () => undefined });
    await rig.bus.follow({ topics, apply: () => undefined });
    await sleep(300);
    const statements = jest.spyOn(pool, 'query');
    await sleep(3_000);
    expect(statements.mock.calls.length).toBeLessThanOrEqual(2 * 2 + 2);
    statements.mockRestore();
  });

  it('stops and closes within its grace when the database is gone, and says of its state topics how old they are (E13, E14)', async () => {
    const topic = await rig.topic({ cleanup: 'compact', retentionMs: -1 });
    const proxy = await cutableProxy(database.urlOf('metering'));
    const itsPool = new Pool({ connectionString: proxy.url, max: 4, connectionTimeoutMillis: 1_000 });
    itsPool.on('error', () => undefined);
    const errors: Error[] = [];
    const bus = postgresBus({ pool: itsPool, directUrl: proxy.url, onError: (error) => void errors.push(error) });
    const consumption = await bus.consume({ group: rig.group(), topics: [topic], handle: async () => undefined });
    const following = await bus.follow({ topics: [topic], apply: () => undefined });
    await following.caughtUp();

    await proxy.cut();
    await expect(bus.publish([text(topic, 'k', 'v')])).rejects.toMatchObject({ code: 'bus-unavailable', status: 503 });
    await expect(bus.ping()).rejects.toMatchObject({ code: 'bus-unavailable' });
    await sleep(300);
    expect(following.ageMs()).toBeGreaterThan(300);
    const began = performance.now();
    await consumption.stop(500);
    await bus.close();
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(errors.length).toBeGreaterThan(0);
    await itsPool.end();
  });
});

/** A way to the database that can be cut as if its machine were gone. */
async function cutableProxy(target: string): Promise<{ url: string; cut(): Promise<void> }> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((from) => {
    const to = connect(Number(port), hostname);
    for (const socket of [from, to]) sockets.add(socket.on('error', () => undefined));
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    cut: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

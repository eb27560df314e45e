import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PLATFORM, newId, type TenantId } from '@weir/kernel';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { collectBundle } from './bundle';
import { SERVICES, loginOf } from './names';
import { createPool } from './pool';
import { provisioner } from './provisioning';
import { unitOfWork } from './unit-of-work';

/** Between a service and its database; silent, it passes nothing on and closes nothing, as a network that lost its other half. */
class Wire {
  private readonly sockets: Socket[] = [];
  private server!: Server;

  async open(to: URL): Promise<string> {
    this.server = createServer((near) => {
      const far = connect(Number(to.port), to.hostname);
      near.on('error', () => undefined).pipe(far);
      far.on('error', () => undefined).pipe(near);
      this.sockets.push(near, far);
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return Object.assign(new URL(to), { port: String((this.server.address() as AddressInfo).port), hostname: '127.0.0.1' }).href;
  }

  fallSilent(): void {
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

describe('a database that falls silent', () => {
  let database: TestDatabase;
  const wire = new Wire();
  beforeAll(async () => void (database = await freshDatabase()), 60_000);
  afterAll(async () => {
    wire.close();
    await database.drop();
  });

  it('is unavailable within a bound, in a transaction and out of one, and its sessions are not used again', async () => {
    const pool = createPool({ url: await wire.open(new URL(database.urlOf('metering'))), name: 'spec', max: 1, answerWithinMs: 300 });
    const work = unitOfWork(pool, 'metering');
    expect((await work.inTenant(PLATFORM, (sql) => sql.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);

    const started = Date.now();
    const silent = { code: 'database-unavailable', category: 'unavailable' };
    await expect(
      work.inTenant(PLATFORM, async (sql) => {
        wire.fallSilent();
        await sql.query('select 2');
      }),
    ).rejects.toMatchObject(silent);
    expect(Date.now() - started).toBeLessThan(1_500);
    expect((await work.inTenant(PLATFORM, (sql) => sql.query('select 3 as three'))).rows).toEqual([{ three: 3 }]);

    wire.fallSilent();
    await expect(work.direct.query('select 4')).rejects.toMatchObject(silent);
    expect((await work.direct.query('select 5 as five')).rows).toEqual([{ five: 5 }]);
    await pool.end();
  }, 20_000);

  it('and a statement that took longer than it may is trouble that passes: what it was for is tried again, and not parked', async () => {
    const pool = createPool({ url: database.urlOf('metering'), name: 'spec', max: 1 });
    const work = unitOfWork(pool, 'metering');
    const slow = work.inControl(async (sql) => {
      await sql.query("set local statement_timeout = '20ms'");
      await sql.query('select pg_sleep(5)');
    });
    await expect(slow).rejects.toMatchObject({ code: 'database-unavailable', category: 'unavailable' });
    await pool.end();
  });
});

describe('a session that idles in a transaction', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await freshDatabase()), 60_000);
  afterAll(() => database.drop());

  it('E4 delays no other tenant and is cut off by a timeout, which every login has: what it held is free then, and it has changed nothing', async () => {
    const migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 1 });
    const { provision } = provisioner(migrator, collectBundle());
    const [idle, other] = [newId('ten'), newId('ten')];
    for (const tenant of [idle, other]) await provision(tenant, 'pooled');
    const { rows } = await migrator.query<{ logins: string }>(
      `select count(*) as logins from pg_roles where rolname = any ($1) and 'idle_in_transaction_session_timeout=15s' = any (rolconfig)`,
      [SERVICES.map(loginOf)],
    );
    expect(Number(rows[0]?.logins)).toBe(SERVICES.length);

    const lost: Error[] = [];
    const pool = createPool({ url: database.urlOf('metering'), name: 'spec', max: 3, onError: (error) => void lost.push(error) });
    const work = unitOfWork(pool, 'metering');
    const move = (tenant: TenantId) => work.inTenant(tenant, (sql) => sql.query('update log_heads set state_seq = state_seq + 1 where tenant_id = $1 returning state_seq', [tenant]));
    const client = await pool.connect();
    client.on('error', (error) => void lost.push(error));
    await client.query('begin');
    await client.query('select weir.enter($1)', [idle]);
    await client.query('update log_heads set state_seq = 99 where tenant_id = $1', [idle]);
    const waiting = move(idle);
    expect((await move(other)).rows).toEqual([{ state_seq: '1' }]);
    // fifteen seconds are long for a test
    await client.query("set local idle_in_transaction_session_timeout = '200ms'");
    expect((await waiting).rows).toEqual([{ state_seq: '1' }]);
    expect(String(lost[0])).toMatch(/idle-in-transaction timeout/);
    client.release(true);
    await Promise.all([pool.end(), migrator.end()]);
  });
});

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PLATFORM } from '@weir/kernel';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { createPool } from './pool';
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

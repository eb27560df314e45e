import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startPostgres, type RunningPostgres } from './postgres';
import { identify, isRunning } from './process/identity';

let dataDir: string;
const servers: RunningPostgres[] = [];

beforeAll(() => (dataDir = mkdtempSync(join(tmpdir(), 'weir-postgres-'))));
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(dataDir, { recursive: true });
});

async function start(port = 0): Promise<RunningPostgres> {
  const server = await startPostgres({ dataDir, port, settings: { fsync: 'off', max_connections: 20 } });
  servers.push(server);
  return server;
}

async function ask<T>({ adminUrl }: RunningPostgres, sql: string): Promise<T[]> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end();
  }
}

describe('PostgreSQL as a child process', () => {
  it('is version 18 with the settings it was given, and lets nobody in without the password', async () => {
    const server = await start();
    expect(await ask(server, "select current_setting('server_version_num')::int / 10000 as major, current_setting('max_connections') as max")).toEqual([{ major: 18, max: '20' }]);
    const url = new URL(server.adminUrl);
    url.password = 'guessed';
    await expect(new Client({ connectionString: url.href }).connect()).rejects.toMatchObject({ code: '28P01' });
    await server.stop();
  });

  it('keeps its data, its port and its password from one start to the next', async () => {
    const first = await start();
    await ask(first, 'create table kept (n int); insert into kept values (42)');
    await first.stop();
    const second = await start();
    expect(second.adminUrl).toBe(first.adminUrl);
    expect(await ask(second, 'select n from kept')).toEqual([{ n: 42 }]);
    await second.stop();
  });

  it('stops a server that outlived its launcher, also when no ledger tells of it, and starts anew', async () => {
    const orphan = await start();
    const identity = identify(orphan.pid);
    rmSync(join(dataDir, 'processes.json'));
    const next = await start();
    expect(next.pid).not.toBe(orphan.pid);
    expect(identity !== undefined && isRunning(identity)).toBe(false);
    expect(await ask(next, 'select n from kept')).toEqual([{ n: 42 }]);
    await next.stop();
  });

  it('says in a line which port is in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await expect(start(port)).rejects.toMatchObject({ code: 'port-in-use', message: expect.stringContaining(String(port)) });
    await new Promise((resolve) => other.close(resolve));
  });

  it('says in a line that a data directory belongs to another version', async () => {
    writeFileSync(join(dataDir, 'cluster', 'PG_VERSION'), '15\n');
    await expect(start()).rejects.toMatchObject({ code: 'data-directory-version', message: expect.stringMatching(/PostgreSQL 15.*this is 18/) });
  });
});

import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { sleep } from '@weir/kernel';

export interface PgBouncer {
  /** The same login and database, through the pooler. */
  through(url: string): string;
  stop(): Promise<void>;
}

export const hasPgBouncer = (): boolean => spawnSync('pgbouncer', ['--version']).status === 0;

/**
 * Debian's PgBouncer in transaction mode, with fewer server sessions than clients.
 *
 * @param server where it connects to; logins come through with their own passwords
 */
export async function startPgBouncer(server: string, logins: Readonly<Record<string, string>>, poolSize = 2): Promise<PgBouncer> {
  const { hostname, port } = new URL(server);
  const dir = mkdtempSync(join(tmpdir(), 'weir-pgbouncer-'));
  const listen = await freePort();
  writeFileSync(join(dir, 'users'), Object.entries(logins).map(([name, password]) => `"${name}" "${password}"\n`).join(''));
  writeFileSync(
    join(dir, 'pgbouncer.ini'),
    `[databases]\n* = host=${hostname} port=${port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${listen}\nunix_socket_dir =\nauth_type = plain\nauth_file = ${join(dir, 'users')}\n` +
      `pool_mode = transaction\ndefault_pool_size = ${poolSize}\nmax_client_conn = 200\nlogfile = ${join(dir, 'log')}\n`,
  );
  // it refuses to be root
  const asRoot = process.getuid?.() === 0;
  if (asRoot) chmodSync(dir, 0o777);
  const child = spawn('pgbouncer', [...(asRoot ? ['-u', 'postgres'] : []), join(dir, 'pgbouncer.ini')], { stdio: 'ignore' });
  const through = (url: string) => Object.assign(new URL(url), { hostname: '127.0.0.1', port: String(listen) }).href;
  await untilAnswers(through, server, logins);
  return {
    through,
    stop: async () => {
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGINT');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function untilAnswers(through: (url: string) => string, server: string, logins: Readonly<Record<string, string>>): Promise<void> {
  const [username = '', password = ''] = Object.entries(logins)[0] ?? [];
  for (let attempt = 1; ; attempt++) {
    const client = new Client({ connectionString: through(Object.assign(new URL(server), { username, password }).href) });
    try {
      await client.connect();
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(50);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

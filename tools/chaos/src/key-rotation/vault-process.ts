import { spawn, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';

/** The key vault as it is shipped, in a process of its own, at one address for all its lives. */
export interface VaultProcess {
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** As the operator. */
  request(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }>; // eslint-disable-line @typescript-eslint/no-explicit-any -- whatever it answers
}

export async function vaultProcess(options: { directory: string; operatorToken: string; environment: Readonly<Record<string, string>> }): Promise<VaultProcess> {
  const [port, managementPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const log = openSync(join(options.directory, 'key-vault.log'), 'a');
  let child: ChildProcess | undefined;

  async function ready(): Promise<void> {
    for (;;) {
      if (child?.exitCode !== null || child.signalCode !== null) throw new Error(`the vault did not start: ${join(options.directory, 'key-vault.log')}`);
      const answer = await fetch(`http://127.0.0.1:${managementPort}/readyz`).catch(() => undefined);
      if (answer?.ok === true) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  return {
    async start() {
      child = spawn(process.execPath, [join(__dirname, '../../../../services/key-vault/src/main.js')], {
        stdio: ['ignore', log, log],
        env: {
          PATH: process.env['PATH'],
          WEIR_PORT: String(port),
          WEIR_MANAGEMENT_PORT: String(managementPort),
          WEIR_OPERATOR_TOKEN: options.operatorToken,
          ...options.environment,
        },
      });
      await ready();
    },
    async kill() {
      const gone = new Promise((resolve) => child?.once('exit', resolve));
      child?.kill('SIGKILL');
      await gone;
    },
    async request(method, path, body) {
      const answer = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${options.operatorToken}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: await answer.json() };
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startParts, type Parts } from '@weir/stack';

/** A Redis of a spec's own, at one address whatever happens to it. */
export interface OwnRedis {
  readonly url: string;
  /** SIGKILL; everything in it is lost. */
  kill(): Promise<void>;
  /** After a kill: an empty one at the same address. */
  start(): Promise<void>;
  /** SIGSTOP: connections stay, answers stay away until it is let go on. */
  freeze(): void;
  thaw(): void;
  /** Answers come so much later. */
  delay(ms: number): void;
  stop(): Promise<void>;
}

/** @param server Valkey is on the PATH, or brought where there is one for this machine. @throws AppError `valkey-missing` */
export async function startOwnRedis(server: 'redis' | 'valkey' = 'redis'): Promise<OwnRedis> {
  let parts: Parts<'redis'> | undefined;
  let dataDir = '';
  let delayMs = 0;
  const sockets = new Set<Socket>();

  async function start(): Promise<void> {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-redis-'));
    parts = await startParts({ only: ['redis'], dataDir, environment: { PATH: process.env['PATH'], JAVA_HOME: process.env['JAVA_HOME'], WEIR_STACK_CACHE: process.env['WEIR_STACK_CACHE'], WEIR_STACK_REDIS: server }, durable: false });
  }
  async function end(): Promise<void> {
    await parts?.stop();
    parts = undefined;
    rmSync(dataDir, { recursive: true, force: true });
  }
  const signal = (name: NodeJS.Signals) => {
    if (parts?.redis.pid !== undefined) process.kill(parts.redis.pid, name);
  };

  const proxy = createServer((client) => {
    const port = parts === undefined ? 0 : Number(new URL(parts.redis.url).port);
    const server = connect({ port: port || 1, host: '127.0.0.1' });
    for (const [one, other] of [[client, server], [server, client]] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    client.on('data', (chunk) => server.write(chunk));
    server.on('data', (chunk) => (delayMs === 0 ? client.write(chunk) : setTimeout(() => client.write(chunk), delayMs)));
  });
  await start();
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));

  return {
    url: `redis://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    start,
    async kill() {
      signal('SIGKILL');
      await end();
      for (const socket of sockets) socket.destroy();
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    delay: (ms) => void (delayMs = ms),
    async stop() {
      signal('SIGCONT');
      proxy.close();
      for (const socket of sockets) socket.destroy();
      await end();
    },
  };
}

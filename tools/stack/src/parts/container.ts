import { createHash } from 'node:crypto';
import { AppError, sleep } from '@weir/kernel';
import { output, run } from '../install/run';
import { freePort } from '../process/free-port';
import type { PartContext } from './part';

/** A part as an image: the last resort, where no registry brings it and a container engine answers. */
export interface Image {
  readonly part: string;
  readonly name: string;
  /** Inside. */
  readonly port: number;
  /** Files of ours that it reads: here → there. */
  readonly mounts?: Readonly<Record<string, string>>;
  readonly entrypoint?: string;
  readonly command: readonly string[];
  /** Inside; kept in a volume of the data directory's own, where things are kept at all. */
  readonly keeps: string;
  readonly environment: (hostPort: number) => Readonly<Record<string, string>>;
}

export interface Container {
  readonly port: number;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;

/** Something that this machine lacks, not something that is wrong. */
const lacking = (error: unknown): boolean => error instanceof AppError && ['tools-missing', 'install-failed', 'redis-missing'].includes(error.code);

export const engineAnswers = (): boolean => output('docker', 'info', '--format', '{{.ServerVersion}}') !== '';

/** `locally`, and where that fails for want of tools, a container, when an engine answers `docker info`. */
export async function orContainer<T>(context: PartContext, image: Image, locally: () => Promise<T>, inContainer: (container: Container) => Promise<T>): Promise<T> {
  try {
    return await locally();
  } catch (error) {
    if (!lacking(error) || !engineAnswers()) throw error;
    context.progress(`${image.part}: ${(error as Error).message}; a container instead`);
    return inContainer(await startContainer(context, image));
  }
}

/** The name is made from the data directory, so that what a killed launcher left is found by it and removed. */
export async function startContainer({ dataDir, durable }: Pick<PartContext, 'dataDir' | 'durable'>, image: Image): Promise<Container> {
  const name = `weir-${image.part}-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`;
  output('docker', 'rm', '--force', name);
  const port = await freePort();
  await run('docker', dockerRun(name, port, image, durable));
  const pid = Number(output('docker', 'inspect', '--format', '{{.State.Pid}}', name).trim());
  return { port, pid: pid || undefined, stop: async () => void (await run('docker', ['stop', '--time', '15', name])) };
}

export function dockerRun(name: string, hostPort: number, image: Image, durable: boolean): string[] {
  const { port, mounts = {}, entrypoint, command, environment, keeps } = image;
  return [
    'run',
    '--detach',
    '--rm',
    ...['--name', name],
    ...['--publish', `127.0.0.1:${hostPort}:${port}`],
    ...(durable ? ['--volume', `${name}:${keeps}`] : []),
    ...Object.entries(mounts).flatMap(([here, there]) => ['--volume', `${here}:${there}:ro`]),
    ...Object.entries(environment(hostPort)).flatMap(([variable, value]) => ['--env', `${variable}=${value}`]),
    ...(entrypoint === undefined ? [] : ['--entrypoint', entrypoint]),
    image.name,
    ...command,
  ];
}

/** Polls until `answers` resolves. */
export async function untilAnswers(part: string, answers: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      await answers();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new AppError('start-failed', 'internal', `the container of ${part} does not answer: ${(error as Error).message}`, { cause: error });
    }
    await sleep(100);
  }
}

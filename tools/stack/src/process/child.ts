import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@weir/kernel';
import type { Ledger } from './ledger';

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Whom to become; root alone may. */
  readonly account?: { uid: number; gid: number } | undefined;
  readonly stopSignal?: NodeJS.Signals;
  /** ms from the stop signal to SIGKILL. */
  readonly graceMs?: number;
  readonly ledger: Ledger;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** undefined while it runs. */
  exit(): string | undefined;
  /** Resolves with how it ended: `code 1`, `signal SIGKILL`. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

const GRACE_MS = 10_000;
const alive = new Set<() => void>();

// the last thing a launcher does, however it ends, short of SIGKILL
process.on('exit', () => {
  for (const kill of alive) kill();
});

/**
 * Starts a process in a session of its own (a Ctrl-C is the launcher's to pass on, in order), its output in a file: a pipe would
 * die with the launcher, and the child with the pipe.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, command, args, logFile, ledger, account, stopSignal = 'SIGTERM', graceMs = GRACE_MS } = options;
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a', 0o600);
  const started = spawn(command, args, {
    stdio: ['ignore', log, log],
    detached: true,
    env: { ...options.environment } as NodeJS.ProcessEnv,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  closeSync(log);
  const { pid } = started;
  if (pid === undefined) {
    const error = await new Promise<Error>((resolve) => started.once('error', resolve));
    throw new AppError('start-failed', 'internal', `${name} could not be started: ${error.message}`, { cause: error });
  }
  started.unref();
  ledger.add(name, pid, stopSignal);

  let exit: string | undefined;
  const kill = () => started.kill(stopSignal);
  alive.add(kill);
  const exited = new Promise<string>((resolve) => {
    started.once('exit', (code, signal) => {
      exit = signal === null ? `code ${code}` : `signal ${signal}`;
      alive.delete(kill);
      ledger.remove(pid);
      resolve(exit);
    });
  });

  return {
    name,
    pid,
    logFile,
    exit: () => exit,
    exited,
    stop: async () => {
      if (exit !== undefined) return;
      started.kill(stopSignal);
      const timer = setTimeout(() => started.kill('SIGKILL'), graceMs);
      started.ref();
      await exited;
      clearTimeout(timer);
    },
  };
}

/**
 * Polls until `ready` resolves.
 *
 * @throws AppError `start-failed`, with the last line of the log, when the child ends before or `timeoutMs` pass
 */
export async function untilReady(child: Child, ready: () => Promise<unknown>, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const trouble = await ready().then(
      () => undefined,
      (error: Error) => error,
    );
    if (trouble === undefined) return;
    const exit = child.exit();
    if (exit === undefined && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 25));
      continue;
    }
    const how = exit === undefined ? `did not answer within ${timeoutMs / 1_000} s (${trouble.message})` : `ended with ${exit}`;
    if (exit === undefined) await child.stop();
    throw new AppError('start-failed', 'internal', `${child.name} ${how}: ${lastLine(child.logFile)} (${child.logFile})`, { cause: trouble });
  }
}

/** What a program of ours says last of why it ended, or else the last line that there is. */
function lastLine(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.findLast((line) => line.startsWith('weir: ')) ?? lines.at(-1) ?? '';
}

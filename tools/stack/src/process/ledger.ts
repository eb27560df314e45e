import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, sleep } from '@weir/kernel';
import { identify, isRunning, type Identity } from './identity';

interface Entry extends Identity {
  readonly name: string;
  readonly stopSignal: NodeJS.Signals;
}

interface Page {
  readonly owner: Identity | undefined;
  readonly children: readonly Entry[];
}

/** Which processes a launcher has started for a data directory, on disk, so that the next launcher finds what a killed one left. */
export interface Ledger {
  /** Names of the leftovers that were stopped when the ledger was opened. */
  readonly cleared: readonly string[];
  add(name: string, pid: number, stopSignal: NodeJS.Signals): void;
  remove(pid: number): void;
  /** Gives the directory up. */
  close(): void;
}

export const LEDGER_FILE = 'processes.json';
const GRACE_MS = 8_000;
/** Nobody holds the lock for longer than a read and a write; an older one was left by a killed process. */
const LOCK_STALE_MS = 2_000;

/**
 * Takes a data directory for this process and stops what is left of an earlier one.
 *
 * @throws AppError `data-directory-in-use` while another launcher is alive on it
 */
export async function openLedger(dataDir: string): Promise<Ledger> {
  mkdirSync(dataDir, { recursive: true });
  const file = join(dataDir, LEDGER_FILE);
  const own = identify(process.pid);
  let page: Page;
  const write = (next: Page) => {
    page = next;
    writeFileSync(`${file}.tmp`, JSON.stringify(page, undefined, 2));
    renameSync(`${file}.tmp`, file);
  };
  const before = await locked(`${file}.lock`, () => {
    const there = read(file);
    if (there.owner !== undefined && there.owner.pid !== process.pid && isRunning(there.owner)) throw inUse(dataDir, there.owner);
    write({ owner: own, children: there.children });
    return there;
  });

  const leftovers = before.children.filter(isRunning);
  await Promise.all(leftovers.map(stopLeftover));
  write({ owner: own, children: [] });

  return {
    cleared: leftovers.map(({ name }) => name),
    add: (name, pid, stopSignal) => {
      const identity = identify(pid);
      if (identity !== undefined) write({ ...page, children: [...page.children, { name, stopSignal, ...identity }] });
    },
    remove: (pid) => write({ ...page, children: page.children.filter((child) => child.pid !== pid) }),
    close: () => write({ ...page, owner: undefined }),
  };
}

const inUse = (dataDir: string, { pid }: Identity) =>
  new AppError('data-directory-in-use', 'conflict', `${dataDir} is in use by process ${pid}: stop it, or choose another data directory`);

/** Two launchers that look at one directory at once: the second sees what the first has written. */
async function locked<T>(lock: string, work: () => T): Promise<T> {
  for (;;) {
    try {
      closeSync(openSync(lock, 'wx'));
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - since > LOCK_STALE_MS) rmSync(lock, { force: true });
    else await sleep(10);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

async function stopLeftover(entry: Entry): Promise<void> {
  const deadline = Date.now() + GRACE_MS;
  signal(entry, entry.stopSignal);
  while (isRunning(entry) && Date.now() < deadline) await sleep(25);
  if (isRunning(entry)) signal(entry, 'SIGKILL');
  while (isRunning(entry) && Date.now() < deadline + 2_000) await sleep(25);
}

function signal({ pid }: Identity, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // gone between the look and the signal
  }
}

function read(file: string): Page {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Page;
  } catch {
    return { owner: undefined, children: [] };
  }
}

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
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

const FILE = 'processes.json';
const GRACE_MS = 8_000;

/**
 * Takes a data directory for this process and stops what is left of an earlier one.
 *
 * @throws AppError `data-directory-in-use` while another launcher is alive on it
 */
export async function openLedger(dataDir: string): Promise<Ledger> {
  mkdirSync(dataDir, { recursive: true });
  const file = join(dataDir, FILE);
  const before = read(file);
  if (before.owner !== undefined && before.owner.pid !== process.pid && isRunning(before.owner)) {
    throw new AppError('data-directory-in-use', 'conflict', `${dataDir} is in use by process ${before.owner.pid}: stop it, or choose another data directory`);
  }
  let page: Page = { owner: identify(process.pid), children: before.children };
  const write = (next: Page) => {
    page = next;
    writeFileSync(`${file}.tmp`, JSON.stringify(page, undefined, 2));
    renameSync(`${file}.tmp`, file);
  };
  write(page);

  const leftovers = before.children.filter(isRunning);
  await Promise.all(leftovers.map(stopLeftover));
  write({ ...page, children: [] });

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

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { AppError } from '@weir/kernel';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Where a server may live: its binaries and its files, and as whom. */
export interface Place {
  readonly home: string;
  readonly dir: string;
  /** undefined: as whoever started us. */
  readonly account: Account | undefined;
}

/** Root's own directories are closed to others, so what lives below them is kept here instead. */
const OPEN_ROOT = '/var/lib/weir-postgres';

/**
 * PostgreSQL refuses to run as root, so root hands it to the user postgres, who must be able to reach every directory on the way.
 */
export function placeFor(home: string, dir: string): Place {
  if (process.getuid?.() !== 0) return { home, dir, account: undefined };
  const account = postgresAccount();
  letPass(dirname(dir));
  letPass(dirname(dirname(dir)));
  const place = reachable(dirname(dir)) ? dir : join(OPEN_ROOT, fingerprint(resolve(dir)));
  const binaries = reachable(home) ? home : copied(home);
  mkdirSync(place, { recursive: true });
  chownSync(place, account.uid, account.gid);
  return { home: binaries, dir: place, account };
}

function postgresAccount(): Account {
  const id = (what: string) => Number(execFileSync('id', [what, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    try {
      execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], { stdio: 'ignore' });
      return { uid: id('-u'), gid: id('-g') };
    } catch (error) {
      throw new AppError('postgres-account', 'internal', 'PostgreSQL does not run as root and there is no user postgres: useradd --system postgres', { cause: error });
    }
  }
}

/**
 * The data directory is Weir's own, if made for root alone: to be passed through, not to be listed. Never a home directory, in which
 * it may stand.
 */
function letPass(dir: string): void {
  if (dir === homedir() || !existsSync(dir)) return;
  const { uid, mode } = statSync(dir);
  if (uid === 0 && (mode & 0o001) === 0) chmodSync(dir, (mode & 0o7777) | 0o001);
}

/** Every directory on the way can be passed by anybody. */
function reachable(path: string): boolean {
  for (let at = resolve(path); ; at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false;
    if (dirname(at) === at) return true;
  }
}

function copied(home: string): string {
  const copy = join(OPEN_ROOT, `home-${fingerprint(home)}-${Math.floor(statSync(join(home, 'bin', 'postgres')).mtimeMs)}`);
  if (existsSync(copy)) return copy;
  const fresh = `${copy}.${process.pid}`;
  mkdirSync(OPEN_ROOT, { recursive: true });
  chmodSync(OPEN_ROOT, 0o755);
  cpSync(home, fresh, { recursive: true, verbatimSymlinks: true });
  renameSync(fresh, copy);
  return copy;
}

const fingerprint = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

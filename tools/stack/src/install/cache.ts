import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a step says while it goes on; one line each, for people. */
export type Progress = (line: string) => void;

/** Files that the launcher brings along: the pom, the broker's settings, the KMS wrapper. */
export const serversDir = join(__dirname, '..', '..', 'servers');

/** The repository: the nearest directory above with a package.json, from the sources and from dist/ alike. */
export const repository = (from: string = __dirname): string =>
  existsSync(join(from, 'package.json')) || dirname(from) === from ? from : repository(dirname(from));

/** Outside of node_modules, which every `npm ci` empties. */
export const cacheDir = (environment: Readonly<Record<string, string | undefined>>): string =>
  environment['WEIR_STACK_CACHE'] || join(repository(), '.stack');

/** Where `cached` puts it. */
export const cachedDir = (cache: string, name: string, from: readonly string[]): string => join(cache, `${name}-${fingerprint(from)}`);

const making = new Map<string, Promise<string>>();

/**
 * A directory that `make` fills once, named after what it is made from. Two processes that make it at once each make their own,
 * and the second to finish takes the first one's.
 */
export function cached(cache: string, name: string, from: readonly string[], make: (dir: string) => Promise<void>): Promise<string> {
  const dir = cachedDir(cache, name, from);
  if (existsSync(dir)) return Promise.resolve(dir);
  const begun = making.get(dir) ?? fill(cache, name, dir, make).finally(() => making.delete(dir));
  making.set(dir, begun);
  return begun;
}

async function fill(cache: string, name: string, dir: string, make: (dir: string) => Promise<void>): Promise<string> {
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, `.making-${name}-`));
  try {
    await make(fresh);
    renameSync(fresh, dir);
  } catch (error) {
    if (!existsSync(dir)) throw error;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return dir;
}

/** @param from files, or texts where no file has that name */
function fingerprint(from: readonly string[]): string {
  const hash = createHash('sha256');
  for (const item of from) hash.update(existsSync(item) ? readFileSync(item) : item);
  return hash.digest('hex').slice(0, 12);
}

/** Files directly below, sorted: a class path must be the same every time for its archive to fit. */
export const listing = (dir: string): string[] => readdirSync(dir).sort().map((file) => join(dir, file));

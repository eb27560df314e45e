import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeEvents } from '@weir/contracts';

/** Pages that are made from the code, by their path below the repository's root. */
export const PAGES: Readonly<Record<string, () => string>> = {
  'docs/events.md': describeEvents,
};

/** The repository's root, from the sources and from dist/ alike. */
export function repositoryRoot(from = __dirname): string {
  for (let dir = from; dirname(dir) !== dir; dir = dirname(dir)) if (existsSync(join(dir, 'nx.json'))) return dir;
  throw new Error('not inside the repository');
}

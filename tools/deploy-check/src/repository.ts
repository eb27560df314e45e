import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';

/** The repository: nearest above with a docker-compose.yml, from the sources and from dist/ alike. */
export const ROOT = (function up(dir: string): string {
  return existsSync(join(dir, 'docker-compose.yml')) || dirname(dir) === dir ? dir : up(dirname(dir));
})(__dirname);

export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** @throws YAMLParseError with line and column */
export const readYaml = <T>(path: string): T => parse(read(path), { merge: true }) as T;

export const documentsOf = <T>(text: string): T[] =>
  parseAllDocuments(text).flatMap((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    const value = document.toJS() as T | null;
    return value === null ? [] : [value];
  });

/** A script as a container names it, `dist/…/main.js`, is there once its source is. */
export const hasScript = (script: string): boolean =>
  script.startsWith('dist/') && existsSync(join(ROOT, script.replace(/^dist\//, '').replace(/\.js$/, '.ts')));

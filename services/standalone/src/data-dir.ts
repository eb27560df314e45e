import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@weir/kernel';

/** What `standalone.json` says; docs, the CLI and tests read it. */
export interface StandaloneFile {
  readonly url: string;
  readonly managementUrl: string;
  readonly simulatorUrl: string;
  readonly operatorToken: string;
  readonly tenants: readonly { id: string; slug: string; keyMode: string; token: string }[];
}

export function openDataDir(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw new AppError('data-directory-unusable', 'invalid', `the data directory ${dir} cannot be made: ${(error as Error).message}; set WEIR_DATA_DIR`, { cause: error });
  }
}

const fileIn = (dir: string): string => join(dir, 'standalone.json');

/** What an earlier start on the same directory left; undefined on the first. */
export function readStandaloneFile(dir: string): StandaloneFile | undefined {
  const file = fileIn(dir);
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as StandaloneFile;
  } catch (error) {
    throw new AppError('data-directory-damaged', 'invalid', `${file} cannot be read as JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** Mode 0600, and whole or not at all. */
export function writeStandaloneFile(dir: string, content: StandaloneFile): void {
  const draft = `${fileIn(dir)}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(draft, fileIn(dir));
}

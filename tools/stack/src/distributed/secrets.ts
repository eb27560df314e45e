import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Mode 0600, and whole or not at all. */
export function writePrivate(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, content, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
}

/** A secret that is made once per data directory. */
export function remembered(file: string, make: () => string): string {
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const secret = make();
  writePrivate(file, secret);
  return secret;
}

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a command is on the PATH; undefined when it is nowhere. */
export const find = (command: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((dir) => join(dir, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  /** Both streams, for people. */
  readonly said: string;
}

/** Runs a command to its end, whatever its exit code. */
export const run = (command: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string>; input?: string } = {}): Promise<Ran> =>
  new Promise((resolve) => {
    const settings = { cwd: options.cwd ?? process.cwd(), env: { ...process.env, ...options.env }, maxBuffer: 64 * 1_048_576, timeout: 300_000 };
    const child = execFile(command, [...args], settings, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, said: `${stdout}\n${stderr}`.trim() || (error?.message ?? '') });
    });
    child.stdin?.end(options.input ?? '');
  });

/** The last lines of what a failed command said. */
export const trouble = (what: string, { said }: Ran): string[] => [`${what}: ${said.split('\n').slice(-12).join('\n      ')}`];

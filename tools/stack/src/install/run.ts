import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { AppError } from '@weir/kernel';

const execute = promisify(execFile);

/** @throws AppError `install-failed` with the last line that the command had to say */
export async function run(command: string, args: readonly string[], cwd?: string): Promise<string> {
  try {
    const { stdout } = await execute(command, [...args], { ...(cwd === undefined ? {} : { cwd }), maxBuffer: 64 * 1_048_576 });
    return stdout;
  } catch (error) {
    const { stderr, stdout, message } = error as { stderr?: string; stdout?: string; message: string };
    const said = `${stdout ?? ''}\n${stderr ?? ''}`.trim() || message;
    const line = said.split('\n').find((text) => /\[ERROR\]|ERROR:/.test(text)) ?? said.split('\n').at(-1);
    throw new AppError('install-failed', 'internal', `${command} ${args.slice(0, 3).join(' ')} failed: ${line}`, { cause: error });
  }
}

/** What a command prints, '' when it is not there or fails. */
export function output(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  return status === 0 ? `${stdout}${stderr}` : '';
}

import { PassThrough, Writable } from 'node:stream';
import { runCli } from '../cli';

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `weir` as a function: what it is given, what it printed, how it ended. */
export async function weir(args: readonly string[], { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {}): Promise<Run> {
  const [out, err] = [new Kept(), new Kept()];
  const input = new PassThrough();
  input.end(stdin);
  const code = await runCli(args, { env, stdin: input, stdout: out, stderr: err });
  return { code, out: out.text, err: err.text };
}

class Kept extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

import type { Readable, Writable } from 'node:stream';

/** What a run touches besides the API; `process` is one. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable;
}

/**
 * A secret from standard input: typed unseen at a terminal, else all that is piped in, less its last line end. Never from the command
 * line, which shells keep and `ps` shows.
 */
export async function readSecret(io: Io, prompt: string): Promise<string> {
  if (io.stdin.isTTY === true && io.stdin.setRawMode !== undefined) return typed(io, prompt);
  let text = '';
  for await (const chunk of io.stdin.setEncoding('utf8')) text += chunk as string;
  return text.replace(/\r?\n$/, '');
}

const ENTER = /[\r\n]/;
const CTRL_C = '\u0003';
const BACKSPACE = ['\u007f', '\b'];

function typed(io: Io, prompt: string): Promise<string> {
  const { stdin, stderr } = io;
  stderr.write(`${prompt}: `);
  stdin.setRawMode?.(true);
  stdin.setEncoding('utf8').resume();
  return new Promise((resolve, reject) => {
    let text = '';
    const end = (outcome: () => void) => {
      stdin.off('data', hear);
      stdin.setRawMode?.(false);
      stdin.pause();
      stderr.write('\n');
      outcome();
    };
    const hear = (chunk: string) => {
      // a paste comes as one chunk, its Enter included
      for (const letter of chunk) {
        if (ENTER.test(letter)) return end(() => resolve(text));
        if (letter === CTRL_C) return end(() => reject(new Interrupted()));
        text = BACKSPACE.includes(letter) ? text.slice(0, -1) : text + letter;
      }
    };
    stdin.on('data', hear);
  });
}

export class Interrupted extends Error {}

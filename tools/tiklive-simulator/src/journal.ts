import { closeSync, createReadStream, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * The state file: a line of JSON per change, appended. What happens within one turn of the event loop is one write, and an answer
 * waits for the write of its own line, so that after a SIGKILL nothing that a caller was told is missing.
 */
export class Journal {
  private pending = '';
  private flushing: Promise<void> | undefined;

  private constructor(private fd: number | undefined) {}

  /** Without a path nothing is kept. */
  static readonly none = (): Journal => new Journal(undefined);

  static open(path: string): Journal {
    mkdirSync(dirname(path), { recursive: true });
    return new Journal(openSync(path, 'a', 0o600));
  }

  write(change: object): void {
    if (this.fd === undefined) return;
    this.pending += `${JSON.stringify(change)}\n`;
    this.flushing ??= new Promise((resolve, reject) =>
      setImmediate(() => {
        this.flushing = undefined;
        try {
          this.flush();
          resolve();
        } catch (error) {
          reject(error as Error);
        }
      }),
    );
    // whoever needs to know awaits `written`
    this.flushing.catch(() => {});
  }

  /** Resolves when all that was written so far is in the file; undefined when it is there already. */
  get written(): Promise<void> | undefined {
    return this.flushing;
  }

  close(): void {
    if (this.fd === undefined) return;
    this.flush();
    closeSync(this.fd);
    this.fd = undefined;
  }

  private flush(): void {
    if (this.fd === undefined) return;
    const bytes = Buffer.from(this.pending);
    this.pending = '';
    for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
  }
}

/** The lines of a state file; none when there is no file. A last line that was cut off by a crash is not one. */
export async function* readJournal(path: string): AsyncIterable<Record<string, unknown>> {
  if (!existsSync(path)) return;
  let number = 0;
  let broken: string | undefined;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    number += 1;
    if (broken !== undefined) throw new Error(broken);
    if (line === '') continue;
    try {
      yield JSON.parse(line) as Record<string, unknown>;
    } catch {
      broken = `the state file ${path} is broken at line ${number}; repair or remove it`;
    }
  }
}

/** Replaces the file in one step. */
export function rewriteJournal(path: string, lines: Iterable<object>): void {
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(`${path}.new`, 'w', 0o600);
  let chunk = '';
  for (const line of lines) {
    chunk += `${JSON.stringify(line)}\n`;
    if (chunk.length > 1 << 20) chunk = write(fd, chunk);
  }
  write(fd, chunk);
  closeSync(fd);
  renameSync(`${path}.new`, path);
}

function write(fd: number, text: string): '' {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  return '';
}

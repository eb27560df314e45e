import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { open, readFile, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutgoingRecord } from '@weir/bus';
import { AppError } from '@weir/kernel';

/**
 * Records on a durable volume, in order, until the bus has them: a directory of segments, a record a line. A line that a crash tore is
 * the last of its segment and was never acknowledged. What is delivered twice, since the crash came between publish and removal, is
 * counted once by its event id.
 */
export interface Backlog {
  /** Resolves when all are on the disk (fsync); what comes meanwhile shares the next one. @throws Error when they would exceed the bound */
  append(records: readonly OutgoingRecord[]): Promise<void>;
  /** The oldest segment's records; none when there is nothing. Nothing is appended to what was handed out. */
  oldest(): Promise<{ readonly records: readonly OutgoingRecord[]; done(): Promise<void> } | undefined>;
  readonly bytes: number;
  close(): Promise<void>;
}

interface Segment {
  readonly file: string;
  bytes: number;
}

interface Waiting {
  readonly lines: Buffer;
  readonly done: (error?: Error) => void;
}

const SEGMENT_BYTES = 4_194_304;

/** @throws AppError `bad-configuration` when another living process uses the directory */
export function openBacklog({ directory, maxBytes }: { directory: string; maxBytes: number }): Backlog {
  mkdirSync(directory, { recursive: true });
  const release = claim(directory);
  const segments: Segment[] = readdirSync(directory)
    .filter((name) => /^\d{12}\.ndjson$/.test(name))
    .sort()
    .map((name) => ({ file: join(directory, name), bytes: statSync(join(directory, name)).size }));
  let number = Number(segments.at(-1)?.file.slice(-19, -7) ?? 0);
  let current: { segment: Segment; handle: FileHandle } | undefined;
  let waiting: Waiting[] = [];
  let queued = 0;
  let writing: Promise<void> | undefined;
  /** The batch on its way to the disk. */
  let batching: Promise<void> | undefined;
  const total = () => segments.reduce((sum, { bytes }) => sum + bytes, 0);

  async function writable() {
    if (current !== undefined && current.segment.bytes < SEGMENT_BYTES) return current;
    await current?.handle.close();
    current = undefined;
    const segment: Segment = { file: join(directory, `${String(++number).padStart(12, '0')}.ndjson`), bytes: 0 };
    const handle = await open(segment.file, 'a', 0o600);
    await syncDirectory(directory);
    segments.push(segment);
    return (current = { segment, handle });
  }

  async function write(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await (batching = writeBatch(batch));
    }
    writing = undefined;
  }

  async function writeBatch(batch: readonly Waiting[]): Promise<void> {
    const lines = Buffer.concat(batch.map((one) => one.lines));
    try {
      const { segment, handle } = await writable();
      await handle.appendFile(lines);
      await handle.datasync();
      segment.bytes += lines.length;
      for (const { done } of batch) done();
    } catch (error) {
      // what part of it stands is not known: the next one begins a new segment, after the torn line
      const torn = current;
      current = undefined;
      await torn?.handle.close().catch(() => undefined);
      for (const { done } of batch) done(error as Error);
    }
    queued -= lines.length;
  }

  return {
    append(records) {
      const lines = Buffer.from(records.map(toLine).join(''));
      if (total() + queued + lines.length > maxBytes) return Promise.reject(new Error('the backlog of usage records is full'));
      queued += lines.length;
      return new Promise((resolve, reject) => {
        waiting.push({ lines, done: (error) => (error === undefined ? resolve() : reject(error)) });
        writing ??= write();
      });
    },

    async oldest() {
      const [segment] = segments;
      if (segment === undefined) return undefined;
      if (current?.segment === segment) {
        const { handle } = current;
        // from here on a new segment is written; what is under way ends in this one
        current = undefined;
        await batching;
        await handle.close();
      }
      const records = (await readFile(segment.file, 'utf8')).split('\n').flatMap(fromLine);
      return {
        records,
        done: async () => {
          await rm(segment.file, { force: true });
          segments.splice(segments.indexOf(segment), 1);
        },
      };
    },

    get bytes() {
      return total() + queued;
    },

    async close() {
      await writing;
      await current?.handle.close();
      release();
    },
  };
}

interface Line {
  readonly topic: string;
  readonly key: string;
  /** base64 */
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

const toLine = ({ topic, key, value, headers }: OutgoingRecord): string =>
  `${JSON.stringify({ topic, key, value: value && value.toString('base64'), headers } satisfies Line)}\n`;

function fromLine(line: string): OutgoingRecord[] {
  if (line === '') return [];
  try {
    const { value, ...rest } = JSON.parse(line) as Line;
    return [{ ...rest, value: value === null ? null : Buffer.from(value, 'base64') }];
  } catch {
    return [];
  }
}

/** A file that is new is there after a crash only when its directory was written too. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
}

/** Of two processes the second would deliver, and remove, what the first still writes. */
function claim(directory: string): () => void {
  const file = join(directory, 'owner.pid');
  for (;;) {
    try {
      const handle = openSync(file, 'wx', 0o600);
      writeFileSync(handle, String(process.pid));
      closeSync(handle);
      return () => rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = Number(readFileSync(file, 'utf8'));
      if (owner !== process.pid && isAlive(owner)) {
        throw new AppError('bad-configuration', 'invalid', `bad configuration: WEIR_USAGE_BACKLOG_DIR ${directory} is in use by process ${owner}`);
      }
      rmSync(file, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

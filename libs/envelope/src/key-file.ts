import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '@weir/kernel';

const LINE = /^weir-key-encryption-key-v1:([0-9a-f]{64})(?: ([\x21-\x7e]{1,64}))?$/;

/** A key-encryption key of the file; the label says which turning over made it. */
export interface FileKey {
  readonly key: Buffer;
  readonly label: string | undefined;
}

/**
 * The keys of the file, the one that wraps first. The file is made with mode 0600 and one key when it is absent. Of several processes that
 * start at once, all get the same.
 *
 * @throws AppError `key-file-exposed` when others may read it, `key-file-unreadable` when it is not such a file.
 */
export function readOrCreateKeyFile(file: string): FileKey[] {
  return read(file) ?? create(file);
}

/** Puts a new key before the others, once a label. */
export function addToKeyFile(file: string, label: string): void {
  const keys = readOrCreateKeyFile(file);
  if (!keys.some((one) => one.label === label)) replace(file, [{ key: randomBytes(32), label }, ...keys]);
  wipe(keys);
}

export function removeFromKeyFile(file: string, unwanted: (key: Buffer) => boolean): void {
  const keys = readOrCreateKeyFile(file);
  const left = keys.filter(({ key }) => !unwanted(key));
  if (left.length > 0 && left.length < keys.length) replace(file, left);
  wipe(keys);
}

/** Changes with the file's content: it is replaced and never written into. */
export const keyFileStamp = (file: string): string => {
  const { ino, mtimeMs, size } = fs.statSync(file);
  return `${ino}/${mtimeMs}/${size}`;
};

const wipe = (keys: readonly FileKey[]): void => keys.forEach(({ key }) => key.fill(0));

function read(file: string): FileKey[] | undefined {
  let fd: number;
  try {
    fd = fs.openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(file, error);
  }
  try {
    // the mode of what was opened, not of what the path means a moment later
    const { mode } = fs.fstatSync(fd);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw exposed(file, mode);
    return parse(file, fs.readFileSync(fd, 'latin1'));
  } finally {
    fs.closeSync(fd);
  }
}

function parse(file: string, text: string): FileKey[] {
  if (!text.endsWith('\n')) throw unreadable(file);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => {
      const [, hex, label] = LINE.exec(line) ?? [];
      if (hex === undefined) throw unreadable(file);
      return { key: Buffer.from(hex, 'hex'), label };
    });
}

/** Written whole and then linked into place: no reader sees half a key, and the second of two writers loses and reads the first's. */
function create(file: string): FileKey[] {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = draftOf(file, [{ key: randomBytes(32), label: undefined }]);
  try {
    fs.linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    fs.unlinkSync(draft);
  }
  syncDirectory(path.dirname(file));
  const keys = read(file);
  if (!keys) throw unreadable(file);
  return keys;
}

/** A reader finds the file of before or of after, whole. */
function replace(file: string, keys: readonly FileKey[]): void {
  fs.renameSync(draftOf(file, keys), file);
  syncDirectory(path.dirname(file));
}

function draftOf(file: string, keys: readonly FileKey[]): string {
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const lines = keys.map(({ key, label }) => `weir-key-encryption-key-v1:${key.toString('hex')}${label === undefined ? '' : ` ${label}`}\n`);
  fs.writeFileSync(draft, lines.join(''), { mode: 0o600, flag: 'wx', flush: true });
  return draft;
}

/** A key that a power cut takes back would take everything sealed under it along. */
function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

const exposed = (file: string, mode: number): AppError =>
  new AppError(
    'key-file-exposed',
    'internal',
    `${file} holds the key-encryption key and has mode ${(mode & 0o777).toString(8).padStart(4, '0')}: run chmod 600 on it.`,
  );

const unreadable = (file: string, cause?: unknown): AppError =>
  new AppError('key-file-unreadable', 'internal', `${file} cannot be read as a key file. Restore it from its backup; never replace it.`, {
    cause,
  });

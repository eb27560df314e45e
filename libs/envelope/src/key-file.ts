import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { AppError } from '@weir/kernel';

const TEXT = /^weir-key-encryption-key-v1:([0-9a-f]{64})\n$/;

/**
 * The 32 bytes of the key file, which is made with mode 0600 when it is absent. Of several processes that start at once, all get the
 * same key.
 *
 * @throws AppError `key-file-exposed` when others may read it, `key-file-unreadable` when it is not such a file.
 */
export function readOrCreateKeyFile(file: string): Buffer {
  return read(file) ?? create(file);
}

function read(file: string): Buffer | undefined {
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

function parse(file: string, text: string): Buffer {
  const hex = TEXT.exec(text)?.[1];
  if (!hex) throw unreadable(file);
  return Buffer.from(hex, 'hex');
}

/** Written whole and then linked into place: no reader sees half a key, and the second of two writers loses and reads the first's. */
function create(file: string): Buffer {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  fs.writeFileSync(draft, `weir-key-encryption-key-v1:${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    fs.linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    fs.unlinkSync(draft);
  }
  syncDirectory(path.dirname(file));
  const key = read(file);
  if (!key) throw unreadable(file);
  return key;
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

import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { TenantId } from '@weir/kernel';
import { unreadableSecret } from './errors';
import { SHRED_KEY_BYTES, type ShredKeys } from './shred-keys';

/** One file a tenant, mode 0600, in a directory that is to be left out of backups. */
export function fileShredKeys({ directory }: { directory: string }): ShredKeys {
  const fileOf = (tenant: TenantId): string => {
    // the name is a path: nothing but an id
    if (!/^ten_[a-z0-9]+$/.test(tenant)) throw unreadableSecret();
    return path.join(directory, tenant);
  };
  const get = async (tenant: TenantId): Promise<Buffer | undefined> => {
    try {
      const key = fs.readFileSync(fileOf(tenant));
      return key.length === SHRED_KEY_BYTES ? key : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  };

  return {
    name: 'file',
    get,
    async getOrCreate(tenant) {
      const found = await get(tenant);
      if (found !== undefined) return found;
      const file = fileOf(tenant);
      fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
      const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
      fs.writeFileSync(draft, randomBytes(SHRED_KEY_BYTES), { mode: 0o600, flag: 'wx', flush: true });
      try {
        fs.linkSync(draft, file);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      } finally {
        fs.unlinkSync(draft);
      }
      sync(directory);
      return (await get(tenant)) as Buffer;
    },
    async destroy(tenant) {
      const file = fileOf(tenant);
      if (!fs.existsSync(file)) return false;
      // what the disk does with the old block is its own affair; the file has another content before it is gone
      fs.writeFileSync(file, randomBytes(SHRED_KEY_BYTES), { flag: 'r+', flush: true });
      fs.unlinkSync(file);
      sync(directory);
      return true;
    },
    close: () => undefined,
  };
}

function sync(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '@weir/kernel';

const BYTES = 32;
/** As it stands in the setting and in the file. */
export const SIGNING_KEY = /^[0-9a-f]{64}$/i;

/**
 * The installation's key for webhooks: 32 bytes, as 64 hexadecimal digits in the setting, or in a file of mode 0600 that is made when it is
 * missing. Every replica needs the same one.
 *
 * @throws AppError `bad-configuration`
 */
export function openSigningKey({ key, file }: { key: string | undefined; file: string }): Buffer {
  if (key !== undefined) return parsed(key, 'WEIR_WEBHOOK_KEY');
  try {
    mkdirSync(dirname(file), { recursive: true });
    // whoever is first makes it; all others read what the first one made
    writeFileSync(file, randomBytes(BYTES).toString('hex'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new AppError('bad-configuration', 'invalid', `bad configuration: set WEIR_WEBHOOK_KEY, since ${file} cannot be made: ${(error as Error).message}`);
  }
  return parsed(readFileSync(file, 'utf8').trim(), file);
}

function parsed(hex: string, where: string): Buffer {
  if (SIGNING_KEY.test(hex)) return Buffer.from(hex, 'hex');
  throw new AppError('bad-configuration', 'invalid', `bad configuration: ${where} must hold 64 hexadecimal digits`);
}

import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyEncryptionConformance } from './conformance';
import { localKeyEncryption } from './local-key';

const dir = mkdtempSync(join(tmpdir(), 'weir-local-key-'));
afterAll(() => rmSync(dir, { recursive: true }));
const context = { tenant_id: 'ten_a', purpose: 'upstream-key', data_key_version: '1' };

describe('key encryption by a local key', () => {
  keyEncryptionConformance(() => localKeyEncryption({ keyFile: join(dir, 'conformance.key') }));

  it('makes its file for nobody else to read, and leaves no draft beside it', () => {
    const keyFile = join(dir, 'new', 'deeper', 'kek.key');
    localKeyEncryption({ keyFile }).close();
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(dir, 'new', 'deeper'))).toEqual(['kek.key']);
  });

  it('opens after a restart what it wrapped before', async () => {
    const keyFile = join(dir, 'restart.key');
    const before = localKeyEncryption({ keyFile });
    const { plaintext, ...wrapped } = await before.generateDataKey(context);
    before.close();
    const after = localKeyEncryption({ keyFile });
    expect(await after.unwrap(wrapped, context)).toEqual(plaintext);
    after.close();
  });

  it('turned over by one process is turned over for all; a retired key is gone from the file and from their memory', async () => {
    const keyFile = join(dir, 'turned.key');
    const [vault, fetcher] = [localKeyEncryption({ keyFile }), localKeyEncryption({ keyFile })];
    const old = await vault.generateDataKey(context);
    const kekId = await vault.turnOver('rot_1');
    expect(kekId).not.toBe(old.kekId);
    expect((await fetcher.generateDataKey(context)).kekId).toBe(kekId);
    expect(readFileSync(keyFile, 'utf8').trimEnd().split('\n')).toHaveLength(2);

    const rewrapped = await vault.rewrap(old, context);
    expect(await fetcher.unwrap(rewrapped, context)).toEqual(old.plaintext);
    await vault.retireOthers(kekId);
    expect(readFileSync(keyFile, 'utf8').trimEnd().split('\n')).toHaveLength(1);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    await fetcher.generateDataKey(context);
    for (const one of [vault, fetcher]) {
      await expect(one.unwrap(old, context)).rejects.toMatchObject({ code: 'key-encryption-refused' });
      expect(await one.unwrap(rewrapped, context)).toEqual(old.plaintext);
      one.close();
    }
  });

  it('refuses what another key file wrapped, and everything once it is closed', async () => {
    const [one, other] = [
      localKeyEncryption({ keyFile: join(dir, 'one.key') }),
      localKeyEncryption({ keyFile: join(dir, 'other.key') }),
    ];
    const wrapped = await one.generateDataKey(context);
    await expect(other.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'key-encryption-refused' });
    one.close();
    await expect(one.unwrap(wrapped, context)).rejects.toMatchObject({ code: 'key-encryption-refused' });
    other.close();
  });

  it('does not start with a file that others may read, nor with one that is no key, and replaces neither', () => {
    const exposed = join(dir, 'exposed.key');
    localKeyEncryption({ keyFile: exposed }).close();
    chmodSync(exposed, 0o640);
    expect(() => localKeyEncryption({ keyFile: exposed })).toThrow(expect.objectContaining({ code: 'key-file-exposed' }));

    const broken = join(dir, 'broken.key');
    writeFileSync(broken, 'weir-key-encryption-key-v1:00\n', { mode: 0o600 });
    expect(() => localKeyEncryption({ keyFile: broken })).toThrow(expect.objectContaining({ code: 'key-file-unreadable' }));
    expect(readFileSync(broken, 'utf8')).toBe('weir-key-encryption-key-v1:00\n');
    expect(existsSync(exposed)).toBe(true);
  });
});

import { randomBytes } from 'node:crypto';
import { newId, type TenantId } from '@weir/kernel';
import fc from 'fast-check';
import type { EncryptionContext, KeyEncryption, WrappedKey } from './key-encryption';
import { localKeyEncryptionOf } from './local-key';
import type { ShredKeys } from './shred-keys';
import { shreddable } from './shreddable';

/** Shred keys in memory, with a look at who asked for what. */
function inMemory() {
  const keys = new Map<TenantId, Buffer>();
  const handedOut: Buffer[] = [];
  const copyOf = (tenant: TenantId) => {
    const key = keys.get(tenant);
    if (key === undefined) return undefined;
    const copy = Buffer.from(key);
    handedOut.push(copy);
    return copy;
  };
  const shredKeys: ShredKeys = {
    name: 'memory',
    get: async (tenant) => copyOf(tenant),
    getOrCreate: async (tenant) => {
      if (!keys.has(tenant)) keys.set(tenant, randomBytes(32));
      return copyOf(tenant) as Buffer;
    },
    destroy: async (tenant) => keys.delete(tenant),
    close: () => keys.clear(),
  };
  return { shredKeys, handedOut, swap: (a: TenantId, b: TenantId) => keys.set(a, keys.get(b) as Buffer) };
}

const kek = randomBytes(32);
let memory: ReturnType<typeof inMemory>;
let keys: KeyEncryption;
let tenant: TenantId;
let context: EncryptionContext;
beforeEach(() => {
  memory = inMemory();
  keys = shreddable(localKeyEncryptionOf(Buffer.from(kek)), memory.shredKeys);
  tenant = newId('ten');
  context = { tenant_id: tenant, purpose: 'upstream-key', data_key_version: '1' };
});

const code = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'opened', (error: { code?: unknown }) => error.code);
const wrappedKey = async (): Promise<WrappedKey> => {
  const { plaintext, ...wrapped } = await keys.generateDataKey(context);
  plaintext.fill(0);
  return wrapped;
};

describe('the second layer of a wrapped data key', () => {
  it('V2 refuses each flipped bit, each truncation and each byte more of it', async () => {
    const { kekId, wrapped } = await wrappedKey();
    for (let bit = 0; bit < wrapped.length * 8; bit++) {
      const altered = Buffer.from(wrapped);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      expect(await code(keys.unwrap({ kekId, wrapped: altered }, context))).toBe('unreadable-secret');
    }
    for (let length = 0; length < wrapped.length; length++) expect(await code(keys.unwrap({ kekId, wrapped: wrapped.subarray(0, length) }, context))).toBe('unreadable-secret');
    expect(await code(keys.unwrap({ kekId, wrapped: Buffer.concat([wrapped, Buffer.of(0)]) }, context))).toBe('unreadable-secret');
  });

  it('V1 does not open for another tenant, also when that one is given the very same shred key', async () => {
    const { kekId, wrapped } = await wrappedKey();
    const other = newId('ten');
    expect(await code(keys.unwrap({ kekId, wrapped }, { ...context, tenant_id: other }))).toBe('key-shredded');
    await memory.shredKeys.getOrCreate(other);
    expect(await code(keys.unwrap({ kekId, wrapped }, { ...context, tenant_id: other }))).toBe('unreadable-secret');
    memory.swap(other, tenant);
    expect(await code(keys.unwrap({ kekId, wrapped }, { ...context, tenant_id: other }))).toBe('unreadable-secret');
  });

  it('binds purpose and version, each for itself', () =>
    fc.assert(
      fc.asyncProperty(fc.constantFrom('upstream-key', 'report-signing', 'webhook'), fc.integer({ min: 1, max: 99 }), async (purpose, version) => {
        const { plaintext, ...made } = await keys.generateDataKey(context);
        const asked = { ...context, purpose, data_key_version: String(version) };
        const same = purpose === context.purpose && String(version) === context.data_key_version;
        expect(await keys.unwrap(made, asked).then((opened) => opened.equals(plaintext), () => false)).toBe(same);
      }),
      { numRuns: 60 },
    ));

  it('is another each time, and hides what lies below', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, wrappedKey));
    expect(new Set(all.map(({ wrapped }) => wrapped.subarray(4, 16).toString('hex'))).size).toBe(20);
    const below = localKeyEncryptionOf(Buffer.from(kek));
    for (const one of all) expect(await code(below.unwrap(one, context))).toBe('unreadable-secret');
    below.close();
  });

  it('needs both: V12 with the shred key and another key-encryption key nothing opens either', async () => {
    const made = await wrappedKey();
    const stranger = shreddable(localKeyEncryptionOf(randomBytes(32)), memory.shredKeys);
    expect(await code(stranger.unwrap(made, context))).toBe('key-encryption-refused');
    await memory.shredKeys.destroy(tenant);
    expect(await code(keys.unwrap(made, context))).toBe('key-shredded');
    expect(await code(keys.rewrap(made, context))).toBe('key-shredded');
  });

  it('overwrites every shred key that it was given', async () => {
    const made = await wrappedKey();
    await keys.unwrap(made, context);
    await keys.rewrap(made, context);
    await code(keys.unwrap({ ...made, wrapped: Buffer.concat([made.wrapped.subarray(0, -1), Buffer.of(0)]) }, context));
    expect(memory.handedOut.length).toBeGreaterThanOrEqual(4);
    expect(memory.handedOut.filter((key) => key.some((byte) => byte !== 0))).toEqual([]);
  });

  it('is left off for a transfer, since who takes the key has another shred key; and is put on when it is taken', async () => {
    const { plaintext, ...made } = await keys.generateDataKey(context);
    const inTransfer = { ...context, purpose: 'key-transfer' };
    const handed = await keys.rewrap(made, context, { context: inTransfer });
    const below = localKeyEncryptionOf(Buffer.from(kek));
    expect(await below.unwrap(handed, inTransfer)).toEqual(plaintext);
    const taken = await keys.rewrap(handed, inTransfer, { context });
    expect(await code(below.unwrap(taken, context))).toBe('unreadable-secret');
    expect(await keys.unwrap(taken, context)).toEqual(plaintext);
    below.close();
  });

  it('throws the data key away that it could not wrap a second time', async () => {
    const away: ShredKeys = { ...memory.shredKeys, getOrCreate: () => Promise.reject(new Error('away')) };
    let plaintext: Buffer | undefined;
    const inner = localKeyEncryptionOf(Buffer.from(kek));
    const watched: KeyEncryption = { ...inner, generateDataKey: async (...asked) => ((made) => ((plaintext = made.plaintext), made))(await inner.generateDataKey(...asked)) };
    await expect(shreddable(watched, away).generateDataKey(context)).rejects.toThrow('away');
    expect(plaintext?.every((byte) => byte === 0)).toBe(true);
  });
});

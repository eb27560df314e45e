import { randomBytes } from 'node:crypto';
import { newId } from '@weir/kernel';
import fc from 'fast-check';
import { handedKeys, keyPackage, transferKey, transferKeyBytes } from './key-package';

const tenantId = newId('ten');
const whole = () => ({ format: 'weir-key-package/1' as const, tenantId, recipient: 'local:0123456789abcdef', dataKeys: [{ version: 1, wrapped: randomBytes(61).toString('base64') }] });
const refused = (value: unknown): string => JSON.stringify(keyPackage.safeParse(value).error?.issues ?? 'taken');

describe('a package of data keys', () => {
  it('is read as it was written, byte for byte', () =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 0xffff_ffff }), { maxLength: 20 }), fc.uint8Array({ minLength: 1, maxLength: 200 }), (versions, bytes) => {
        const written = { ...whole(), dataKeys: versions.map((version) => ({ version, wrapped: Buffer.from(bytes).toString('base64') })) };
        const keys = handedKeys(keyPackage.parse(JSON.parse(JSON.stringify(written))));
        expect([...keys.keys()]).toEqual(versions);
        for (const [version, key] of keys) expect(key).toEqual({ tenantId, purpose: 'upstream-key', version, kekId: written.recipient, wrapped: Buffer.from(bytes) });
      }),
    ));

  it.each([
    ['another format', { format: 'weir-key-package/2' }],
    ['no tenant', { tenantId: 'ten_' }],
    ['somebody else than a tenant', { tenantId: newId('key') }],
    ['no recipient', { recipient: '' }],
    ['a version of 0', { dataKeys: [{ version: 0, wrapped: 'AAAA' }] }],
    ['a version past 32 bits', { dataKeys: [{ version: 2 ** 32, wrapped: 'AAAA' }] }],
    ['bytes that are no base64', { dataKeys: [{ version: 1, wrapped: '***' }] }],
    ['more bytes than a wrapped key has', { dataKeys: [{ version: 1, wrapped: 'A'.repeat(10_000) }] }],
    ['a member that is not known', { note: 'x' }],
  ])('with %s is none', (_, change) => expect(refused({ ...whole(), ...change })).not.toBe('"taken"'));

  it('without a member is none', () => {
    for (const member of Object.keys(whole())) expect(refused({ ...whole(), [member]: undefined })).not.toBe('"taken"');
  });
});

describe('a transfer key', () => {
  it('is 32 bytes, written in hexadecimal behind its name; a line end that a file has is no part of it', () => {
    const bytes = randomBytes(32);
    const text = `weir-transfer-key-v1:${bytes.toString('hex')}`;
    expect(transferKeyBytes(transferKey.parse(`${text}\n`))).toEqual(bytes);
  });

  it.each([
    ['nothing', ''],
    ['the key file of an installation', `weir-key-encryption-key-v1:${'a'.repeat(64)}`],
    ['too short', `weir-transfer-key-v1:${'a'.repeat(63)}`],
    ['too long', `weir-transfer-key-v1:${'a'.repeat(65)}`],
    ['upper case', `weir-transfer-key-v1:${'A'.repeat(64)}`],
    ['two of them', `weir-transfer-key-v1:${'a'.repeat(64)}\nweir-transfer-key-v1:${'a'.repeat(64)}`],
  ])('%s is none, and no refusal repeats it', (_, text) => {
    const { success, error } = transferKey.safeParse(text);
    expect(success).toBe(false);
    if (text !== '') expect(JSON.stringify(error?.issues)).not.toContain(text);
    expect(() => transferKeyBytes(text)).toThrow(expect.objectContaining({ code: 'bad-transfer-key', status: 400 }));
  });
});

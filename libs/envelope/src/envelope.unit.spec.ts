import { randomBytes } from 'node:crypto';
import { AppError, type TenantId } from '@weir/kernel';
import fc from 'fast-check';
import type { WrappedDataKey } from './data-key-cache';
import { createEnvelope, type Envelope } from './envelope';
import { localKeyEncryptionOf } from './local-key';
import { contextBytes, type SecretContext } from './sealed-secret';

const A: TenantId = 'ten_a';
const B: TenantId = 'ten_b';
const place: SecretContext = { tenantId: A, keyId: 'key_1', version: 1, purpose: 'upstream-key' };

let envelope: Envelope;
let dataKey: WrappedDataKey;
beforeAll(async () => {
  envelope = createEnvelope({
    keyEncryption: localKeyEncryptionOf(randomBytes(32)),
    dataKeys: { maxEntries: 100, maxAgeMs: 60_000, maxUses: 1_000_000 },
  });
  dataKey = await envelope.createDataKey(A, 'upstream-key', 1);
});
afterAll(() => envelope.close());

const seal = (plaintext: Buffer | string) => envelope.seal({ ...place, plaintext, dataKey });
const open = (sealed: Buffer, at: Partial<SecretContext> = {}, under = dataKey) =>
  envelope.open(sealed, { ...place, ...at, dataKey: under });

/** The whole of an error that a caller could look at. */
async function refusal(opening: Promise<Buffer>): Promise<string> {
  const error = await opening.then(
    (plaintext) => new Error(`opened to ${plaintext.toString('hex')}`),
    (thrown: unknown) => thrown as AppError,
  );
  const { code, category, details, retryAfter } = error as Partial<AppError>;
  return JSON.stringify({ message: error.message, cause: error.cause ?? null, code, category, details, retryAfter });
}
const THE_ONE = /"code":"unreadable-secret"/;

describe('a sealed secret', () => {
  it('opens in its own place to the same bytes, whatever they are', () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 4_096 }), async (bytes) => {
        const sealed = await seal(Buffer.from(bytes));
        expect(sealed).toHaveLength(bytes.length + 99);
        expect(new Uint8Array(await open(sealed))).toEqual(bytes);
      }),
      { numRuns: 200 },
    ));

  it('V1 opens in no other place: tenant, key, version, purpose', async () => {
    const sealed = await seal('secret');
    const others = await Promise.all([
      envelope.createDataKey(B, 'upstream-key', 1),
      envelope.createDataKey(A, 'webhook', 1),
      envelope.createDataKey(A, 'upstream-key', 1),
    ]);
    const refusals = await Promise.all([
      refusal(open(sealed, { keyId: 'key_2' })),
      refusal(open(sealed, { version: 2 })),
      refusal(open(sealed, { tenantId: B })),
      refusal(open(sealed, { tenantId: B }, others[0])),
      refusal(open(sealed, { tenantId: B }, { ...dataKey, tenantId: B })),
      refusal(open(sealed, { purpose: 'webhook' }, others[1])),
      refusal(open(sealed, { purpose: 'webhook' }, { ...dataKey, purpose: 'webhook' })),
      refusal(open(sealed, {}, others[2])),
      refusal(open(sealed, {}, { ...dataKey, version: 2 })),
    ]);
    expect(new Set(refusals).size).toBe(1);
    expect(refusals[0]).toMatch(THE_ONE);
  });

  it('V2 refuses each flipped bit, each truncation and each byte more with one error that tells nothing', async () => {
    const sealed = await seal('a secret of some length');
    const altered: Buffer[] = [];
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const copy = Buffer.from(sealed);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      altered.push(copy);
    }
    for (let length = 0; length < sealed.length; length++) altered.push(sealed.subarray(0, length));
    for (const more of [Buffer.of(0), Buffer.of(255), randomBytes(16), sealed]) altered.push(Buffer.concat([sealed, more]));

    const refusals = new Set<string>();
    for (const one of altered) refusals.add(await refusal(open(one)));
    expect([...refusals]).toEqual([expect.stringMatching(THE_ONE)]);
  });

  it('V2 refuses parts that belong to another secret of the same place: nonce, salt, commitment, tag', async () => {
    const [one, other] = [await seal('same text'), await seal('same text')];
    for (const [from, to] of [
      [7, 39],
      [39, 51],
      [51, 83],
      [83, 99],
      [99, one.length],
    ] as const) {
      const mixed = Buffer.concat([one.subarray(0, from), other.subarray(from, to), one.subarray(to)]);
      expect(await refusal(open(mixed))).toMatch(THE_ONE);
    }
  });

  it('V2 refuses each flipped bit of the wrapped data key, and a context that it was not wrapped for', async () => {
    const sealed = await seal('secret');
    for (let bit = 0; bit < dataKey.wrapped.length * 8; bit++) {
      const wrapped = Buffer.from(dataKey.wrapped);
      wrapped[bit >> 3]! ^= 1 << (bit & 7);
      expect(await refusal(open(sealed, {}, { ...dataKey, wrapped }))).toMatch(THE_ONE);
    }
  });

  it('V3 of equal secrets no two are alike, in salt, nonce, commitment, tag or text', async () => {
    const sealed = await Promise.all(Array.from({ length: 500 }, () => seal('the very same secret')));
    for (const [from, to] of [
      [7, 39],
      [39, 51],
      [51, 83],
      [83, 99],
      [99, undefined],
    ] as const) {
      expect(new Set(sealed.map((bytes) => bytes.subarray(from, to).toString('hex'))).size).toBe(500);
    }
  });

  it('is of 1 to 65,536 bytes', async () => {
    await expect(seal('')).rejects.toMatchObject({ code: 'invalid-request' });
    await expect(seal(Buffer.alloc(65_537))).rejects.toMatchObject({ code: 'invalid-request' });
    expect(await open(await seal(Buffer.alloc(65_536, 7)))).toEqual(Buffer.alloc(65_536, 7));
  });

  it('is not sealed for a place of another tenant than its data key', async () => {
    await expect(envelope.seal({ ...place, tenantId: B, plaintext: 'x', dataKey })).rejects.toMatchObject({
      code: 'invalid-secret-context',
    });
  });
});

describe('the context', () => {
  const field = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 128,
  });
  const version = fc.integer({ min: 1, max: 0xffff_ffff });
  const context = fc.record({ tenantId: field, keyId: field, version, purpose: field }) as fc.Arbitrary<SecretContext>;

  it('is the same for no two places', () =>
    fc.assert(
      fc.property(context, context, version, version, (a, b, va, vb) => {
        const same =
          JSON.stringify([a.tenantId, a.keyId, a.version, a.purpose, va]) ===
          JSON.stringify([b.tenantId, b.keyId, b.version, b.purpose, vb]);
        expect(contextBytes(a, va)!.equals(contextBytes(b, vb)!)).toBe(same);
      }),
    ));

  it('is another one when a boundary between its fields is moved', () => {
    const at = (tenantId: string, keyId: string) => contextBytes({ ...place, tenantId: tenantId as TenantId, keyId }, 1)!;
    expect(at('ten_ab', 'c').equals(at('ten_a', 'bc'))).toBe(false);
  });

  it.each([
    ['an empty field', { keyId: '' }],
    ['a blank', { keyId: 'a b' }],
    ['a letter beyond ASCII', { keyId: 'kéy' }],
    ['129 characters', { keyId: 'k'.repeat(129) }],
    ['version 0', { version: 0 }],
    ['a version past 32 bits', { version: 2 ** 32 }],
    ['half a version', { version: 1.5 }],
  ])('has no bytes for %s', (_, change) => expect(contextBytes({ ...place, ...change }, 1)).toBeUndefined());
});

describe('a fingerprint', () => {
  it('is equal for equal secrets of a tenant alone', async () => {
    const other = await envelope.createDataKey(B, 'upstream-key', 1);
    const mine = await envelope.fingerprint('secret', dataKey);
    expect(mine).toMatch(/^1-[0-9a-f]{32}$/);
    expect(await envelope.fingerprint('secret', dataKey)).toBe(mine);
    expect(await envelope.fingerprint('secret2', dataKey)).not.toBe(mine);
    expect(await envelope.fingerprint('secret', other)).not.toBe(mine);
  });
});

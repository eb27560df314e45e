import type { EncryptionContext, KeyEncryption, WrappedKey } from './key-encryption';

const context: EncryptionContext = { tenant_id: 'ten_a', purpose: 'upstream-key', data_key_version: '1' };

/** What every holder of the key-encryption key guarantees. */
export function keyEncryptionConformance(open: () => KeyEncryption): void {
  let keys: KeyEncryption;
  beforeAll(() => void (keys = open()));
  afterAll(() => keys.close());

  const code = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'opened',
      (error: { code?: unknown; cause?: unknown }) => error.code,
    );

  it('makes data keys of 256 bits, each another, that open again in their context', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => keys.generateDataKey(context)));
    expect(new Set(made.map(({ plaintext }) => plaintext.toString('hex'))).size).toBe(5);
    for (const { plaintext, ...wrapped } of made) {
      expect(plaintext).toHaveLength(32);
      expect(wrapped.wrapped.includes(plaintext)).toBe(false);
      expect(await keys.unwrap(wrapped, context)).toEqual(plaintext);
    }
  });

  it('gives the caller bytes of its own: overwriting them changes nothing', async () => {
    const { plaintext, ...wrapped } = await keys.generateDataKey(context);
    const before = plaintext.toString('hex');
    plaintext.fill(0);
    (await keys.unwrap(wrapped, context)).fill(0);
    expect((await keys.unwrap(wrapped, context)).toString('hex')).toBe(before);
  });

  it('names the key-encryption key that a data key is under, the same for each', async () => {
    const [one, other] = [await keys.generateDataKey(context), await keys.generateDataKey({ ...context, tenant_id: 'ten_b' })];
    expect(one.kekId).toMatch(/.{8}/);
    expect(other.kekId).toBe(one.kekId);
  });

  it.each([
    ['tenant', { tenant_id: 'ten_b' }],
    ['purpose', { purpose: 'webhook' }],
    ['version', { data_key_version: '2' }],
  ])('V1 does not open a data key for another %s', async (_, change) => {
    const wrapped = await keys.generateDataKey(context);
    expect(await code(keys.unwrap(wrapped, { ...context, ...change }))).toBe('unreadable-secret');
  });

  it('V2 refuses a wrapped data key that was altered, cut, lengthened or is none', async () => {
    const { kekId, wrapped } = await keys.generateDataKey(context);
    const altered: Buffer[] = [
      Buffer.alloc(0),
      Buffer.alloc(1),
      Buffer.alloc(10_000),
      wrapped.subarray(0, -1),
      wrapped.subarray(1),
      Buffer.concat([wrapped, Buffer.of(0)]),
    ];
    for (let at = 0; at < wrapped.length; at += 5) {
      const copy = Buffer.from(wrapped);
      copy[at]! ^= 1;
      altered.push(copy);
    }
    // an endpoint may read which key to ask for out of the bytes themselves, and not find that one
    for (const one of altered)
      expect(['unreadable-secret', 'key-encryption-refused']).toContain(
        await code(keys.unwrap({ kekId, wrapped: one }, context)),
      );
  });

  it('rewraps a data key in its context alone: the same key, under the key-encryption key of today', async () => {
    const { plaintext, ...wrapped } = await keys.generateDataKey(context);
    const rewrapped = await keys.rewrap(wrapped, context);
    expect(rewrapped.wrapped).not.toEqual(wrapped.wrapped);
    expect(await keys.unwrap(rewrapped, context)).toEqual(plaintext);
    expect(await code(keys.rewrap(wrapped, { ...context, tenant_id: 'ten_b' }))).toBe('unreadable-secret');
    expect(await code(keys.unwrap(rewrapped, { ...context, tenant_id: 'ten_b' }))).toBe('unreadable-secret');
  });

  it('names the key that new data keys go under after it was turned over; what is under an older one stays readable and is rewrapped', async () => {
    const { plaintext, ...before } = await keys.generateDataKey(context);
    const kekId = await keys.turnOver('rot_1');
    expect(await keys.turnOver('rot_1')).toBe(kekId);
    expect((await keys.generateDataKey(context)).kekId).toBe(kekId);
    expect(await keys.unwrap(before, context)).toEqual(plaintext);
    const after = await keys.rewrap(before, context);
    expect(after.kekId).toBe(kekId);
    await keys.retireOthers(kekId);
    expect(await keys.unwrap(after, context)).toEqual(plaintext);
  });

  it('wraps under the key-encryption key that it is asked to, in the context that it is asked to, and under none that it does not hold', async () => {
    const { kekId } = await keys.generateDataKey(context);
    const { plaintext, ...wrapped } = await keys.generateDataKey(context, kekId);
    expect(wrapped.kekId).toBe(kekId);
    const after = { ...context, purpose: 'key-transfer' };
    const rewrapped = await keys.rewrap(wrapped, context, { under: kekId, context: after });
    expect(rewrapped.kekId).toBe(kekId);
    expect(await keys.unwrap(rewrapped, after)).toEqual(plaintext);
    expect(await code(keys.unwrap(rewrapped, context))).toBe('unreadable-secret');
    const nobodys = '00000000-0000-0000-0000-000000000000';
    expect(await code(keys.generateDataKey(context, nobodys))).toBe('key-encryption-refused');
    expect(await code(keys.rewrap(wrapped, context, { under: nobodys }))).toBe('key-encryption-refused');
  });

  it('does not open under a key-encryption key that it does not hold', async () => {
    const { wrapped }: WrappedKey = await keys.generateDataKey(context);
    expect(await code(keys.unwrap({ wrapped, kekId: '00000000-0000-0000-0000-000000000000' }, context))).toBe(
      'key-encryption-refused',
    );
  });

  it('tells no secret in an error', async () => {
    const { kekId, wrapped, plaintext } = await keys.generateDataKey(context);
    const error = await keys.unwrap({ kekId, wrapped }, { ...context, tenant_id: 'ten_b' }).catch((thrown: Error) => thrown);
    const told = `${String(error)} ${JSON.stringify(error)} ${String((error as Error).cause)}`;
    for (const form of ['hex', 'base64'] as const) expect(told).not.toContain(plaintext.toString(form));
  });
}

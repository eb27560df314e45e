import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { newId } from '@weir/kernel';
import { mintToken, parseToken } from './token';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

describe('a token', () => {
  it('is read back as what was minted', () => {
    for (const mode of ['live', 'test'] as const) {
      const minted = mintToken({ mode });
      const { token: _, ...rest } = minted;
      expect(parseToken(minted.token)).toEqual(rest);
    }
  });

  it('ends in the CRC-32 of all before it, in base 62, padded to six', () => {
    const { token } = mintToken({ mode: 'live' });
    let value = 0;
    for (const digit of token.slice(-6)) value = value * 62 + DIGITS.indexOf(digit);
    expect(value).toBe(crc32(token.slice(0, -6)));
  });

  it('G4 with any one character changed, a foreign prefix or another length is refused by its form alone', () => {
    const { token } = mintToken({ mode: 'live' });
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...DIGITS, '_', '-'), (at, other) => {
        fc.pre(token[at] !== other);
        expect(parseToken(token.slice(0, at) + other + token.slice(at + 1))).toBeUndefined();
      }),
    );
    for (const text of ['', `sk_${token}`, token.slice(1), `${token}0`, token.replace('weir_', 'WEIR_'), ` ${token}`]) expect(parseToken(text)).toBeUndefined();
  });

  it('has 256 random bits that its record holds only as a hash', () => {
    const id = newId('tok');
    const [a, b] = [mintToken({ mode: 'live', id }), mintToken({ mode: 'live', id })];
    expect(a.token).not.toBe(b.token);
    expect(a.secretHash).not.toBe(b.secretHash);
    expect(Buffer.from(a.secretHash, 'base64url')).toHaveLength(32);
    expect(a.token).not.toContain(a.secretHash);
  });
});

import { pseudonymOf, pseudonymsOf } from './index';

const KEY = Buffer.alloc(32, 7);
const name = (value: string) => ({ kind: 'username', value }) as const;

it('a person has one pseudonym however the user name is spelled, and another under another key or as another kind of name', () => {
  const spellings = ['alice', '@alice', '@Alice'].map((value) => pseudonymOf(KEY, name(value)));
  expect(new Set(spellings).size).toBe(1);
  expect(pseudonymOf(Buffer.alloc(32, 8), name('alice'))).not.toBe(spellings[0]);
  expect(pseudonymOf(KEY, { kind: 'sec-uid', value: 'alice' })).not.toBe(spellings[0]);
  expect(spellings[0]).not.toContain('alice');
});

it('the pseudonyms of a set do not depend on its order or its repetitions', () => {
  expect(pseudonymsOf(KEY, [name('a'), name('b'), name('@A')])).toEqual(pseudonymsOf(KEY, [name('b'), name('a')]));
});

import fc from 'fast-check';
import { existsById, idOf, nameOf } from './user-id';

const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789_.'];
const name = (maxLength: number) => fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength });

describe('a user id', () => {
  it('leads back to a name of up to twelve characters', () => {
    fc.assert(fc.property(name(12), (text) => nameOf(idOf(text)) === text));
  });

  it('is a number of at most 20 digits for any name', () => {
    fc.assert(fc.property(name(32), (text) => /^[0-9]{1,20}$/.test(idOf(text))));
  });

  it('that anybody makes up is answered, not thrown over', () => {
    fc.assert(fc.property(fc.stringMatching(/^[0-9]{1,20}$/), (id) => typeof existsById(id) === 'boolean'));
  });

  it('of nobody does not exist, however long the name', () => {
    expect([idOf('nobody'), idOf('nobody.22'), idOf('nobody_with_a_long_name')].map(existsById)).toEqual([false, false, false]);
  });
});

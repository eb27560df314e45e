import { ZodError } from 'zod';
import { event, readEvent } from './contract';
import { plain } from './privacy';
import { z } from 'zod';

/** A price that was once a number of euros, then had a currency, and has minor units now. */
const shape = { price: plain(z.object({ minor: z.int(), currency: z.string() })) };
const priced = event('weir.spec.events', 'spec.priced', 'A contract with a past.', shape, [
  ({ price }) => ({ price, currency: 'EUR' }),
  ({ price, currency }) => ({ price: { minor: Math.round(Number(price) * 100), currency } }),
]);

/** Golden data of each version, as they were written then. */
const GOLDEN = {
  1: { price: 19.99 },
  2: { price: 19.99, currency: 'USD' },
  3: { price: { minor: 1999, currency: 'USD' } },
} as const;

describe('a contract with upcasters', () => {
  it('has one version more than upcasters', () => {
    expect(priced.version).toBe(3);
  });

  it('E11 reads what any of its versions wrote, as the current one', () => {
    expect(readEvent(priced, 1, GOLDEN[1])).toEqual({ price: { minor: 1999, currency: 'EUR' } });
    expect(readEvent(priced, 2, GOLDEN[2])).toEqual({ price: { minor: 1999, currency: 'USD' } });
    expect(readEvent(priced, 3, GOLDEN[3])).toEqual(GOLDEN[3]);
  });

  it('E11 reads what a newer version wrote, without what that added', () => {
    expect(readEvent(priced, 4, { ...GOLDEN[3], discount: 5 })).toEqual(GOLDEN[3]);
  });

  it('E11 refuses a newer version that took away what it needs, rather than make something up', () => {
    expect(() => readEvent(priced, 4, { cost: 1999 })).toThrow(ZodError);
  });
});

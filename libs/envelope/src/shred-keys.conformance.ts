import { newId } from '@weir/kernel';
import type { ShredKeys } from './shred-keys';

/** What every keeper of shred keys guarantees. */
export function shredKeysConformance(open: () => ShredKeys): void {
  let keys: ShredKeys;
  let elsewhere: ShredKeys;
  beforeAll(() => {
    keys = open();
    elsewhere = open();
  });
  afterAll(() => {
    keys.close();
    elsewhere.close();
  });

  it('keeps 32 bytes for each tenant, each another, for every process the same', async () => {
    const [one, other] = [newId('ten'), newId('ten')];
    expect(await keys.get(one)).toBeUndefined();
    const made = await keys.getOrCreate(one);
    expect(made).toHaveLength(32);
    expect(await elsewhere.get(one)).toEqual(made);
    expect(await elsewhere.getOrCreate(one)).toEqual(made);
    expect(await keys.getOrCreate(other)).not.toEqual(made);
  });

  it('gives all who make one at once the same', async () => {
    const tenant = newId('ten');
    const made = await Promise.all([keys, elsewhere, keys, elsewhere].map((one) => one.getOrCreate(tenant)));
    expect(new Set(made.map((key) => key.toString('hex'))).size).toBe(1);
  });

  it('destroys for good: it is gone for every process, another made later is another', async () => {
    const tenant = newId('ten');
    const before = (await keys.getOrCreate(tenant)).toString('hex');
    expect(await elsewhere.destroy(tenant)).toBe(true);
    expect(await keys.get(tenant)).toBeUndefined();
    expect(await keys.destroy(tenant)).toBe(false);
    expect((await keys.getOrCreate(tenant)).toString('hex')).not.toBe(before);
  });
}

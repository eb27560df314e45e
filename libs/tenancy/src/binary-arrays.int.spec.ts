import { newUuid } from '@weir/kernel';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import { boolArray, bytesArray, int4Array, int8Array, textArray, uuidArray } from './binary-arrays';
import { createPool } from './pool';

let database: TestDatabase;
let pool: ReturnType<typeof createPool>;
beforeAll(async () => {
  database = await freshDatabase();
  pool = createPool({ url: database.adminUrl, name: 'spec', max: 1 });
}, 60_000);
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const asText = async (type: string, value: Buffer): Promise<string[]> => (await pool.query<{ all: string[] }>(`select array(select e::text from unnest($1::${type}[]) e) as all`, [value])).rows[0]?.all ?? [];

describe('arrays in binary', () => {
  const ids = [newUuid(), newUuid(0), 'ffffffff-ffff-ffff-ffff-ffffffffffff'];
  it.each<[string, Buffer, (string | null)[]]>([
    ['uuid', uuidArray(ids), ids],
    ['int', int4Array([0, 1, -1, 2 ** 31 - 1, -(2 ** 31)]), ['0', '1', '-1', '2147483647', '-2147483648']],
    ['bigint', int8Array([0, -1, 2 ** 32, -(2 ** 32) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]), ['0', '-1', '4294967296', '-4294967297', '9007199254740991', '-9007199254740991']],
    ['bool', boolArray([true, false]), ['true', 'false']],
    ['text', textArray(['', 'a "quoted", {one} \\', 'schön 🎉', null]), ['', 'a "quoted", {one} \\', 'schön 🎉', null]],
    ['bytea', bytesArray([Buffer.from([0, 255]), Buffer.alloc(0)]), ['\\x00ff', '\\x']],
    ['int', int4Array([]), []],
  ])('of %s are read as what was given', async (type, value, expected) => {
    expect(await asText(type, value)).toEqual(expected);
  });

  it.each([['not a uuid'], ['019aa0c4-0000-7000-8000-00000000000']])('%s is no uuid, and is not made one', (text) => {
    expect(() => uuidArray([text])).toThrow(TypeError);
  });
});

import { compileKnown, differences } from './drift';
import { findEndpoint, tiklive } from './index';

const known = compileKnown({ id: 'string', 'videos[].id': 'string', 'videos[].author.name': 'string', videos: 'array' }, { link: 'object' });
const paths = (body: unknown) => differences(known, body).map(({ path, expected, found }) => `${path}: ${expected} -> ${found}`);

describe('the drift of an answer from what is known of it', () => {
  it('is none where everything stands as it was described, with or without what stands there sometimes', () => {
    expect(paths({ id: '1', videos: [{ id: '1', author: { name: 'a' } }] })).toEqual([]);
    expect(paths({ id: '1', videos: [], link: { anything: 1 } })).toEqual([]);
  });

  it('names what is missing, what is new, and what has become something else, each path once', () => {
    expect(paths({ id: 7, videos: [{ author: { name: null } }, { author: { name: null } }], extra: [] })).toEqual([
      'id: string -> number',
      'videos[].id: string -> missing',
      'videos[].author.name: string -> null',
      'extra: nothing -> array',
    ]);
    expect(paths({ id: '1', videos: {} })).toEqual(['videos: array -> object']);
  });

  it('is bounded, and holds no value: answers are about persons', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`field_${n}`, 'a secret']));
    const found = differences(known, { id: '1', videos: [], ...many });
    expect(found).toHaveLength(50);
    expect(JSON.stringify(found)).not.toContain('a secret');
    expect(paths('text')).toEqual([]);
  });

  it('is watched on every endpoint of the catalog', () => {
    expect(tiklive.endpoints.filter((endpoint) => endpoint.known === undefined)).toEqual([]);
    expect(differences(findEndpoint(tiklive, '/userid/')!.known!, { id: '1', uid: '1' })).toEqual([{ path: 'uid', expected: 'nothing', found: 'string' }]);
  });
});

import { findEndpoint, readCatalogs, tiklive, type Catalog, type Endpoint } from '@weir/upstream-catalog';
import { jsonIn, subjectsIn } from './subjects-in';

/** Another provider, with other names for persons, in another place of its addresses. */
const OTHER = {
  id: 'other',
  title: 'Other',
  basePath: '/other',
  origin: 'https://other.example',
  auth: { header: 'X-Key' },
  keyRate: { perMinute: 60, burst: 1 },
  scopes: [],
  testCall: { endpoint: 'who', query: { handle: 'a', page: 'https://other.example/people/a' } },
  scopeProbes: [],
  balance: { path: '/left', field: 'left' },
  outOfCredits: { statuses: [402], members: [], phrases: [] },
  persons: { names: { handle: 'username', account: 'user-id' }, addressPath: '^/people/([a-z]+)' },
  endpoints: [
    {
      id: 'who',
      path: '/who/',
      category: 'people',
      summary: 'One.',
      parameters: [
        { name: 'handle', type: 'text', required: true, pattern: '[a-z]+', maxLength: 9, personal: true },
        { name: 'page', type: 'url', required: true, hosts: ['other.example'], maxLength: 99, personal: true },
      ],
      credits: 1,
      chargedStatuses: [200],
      lifetimeSeconds: 60,
      paging: { scheme: 'none' },
      personal: ['account', 'friends[].handle', 'likes[]', 'motto'],
      shape: {},
    },
  ],
};

describe('whom an answer is about', () => {
  const [, other] = readCatalogs(tiklive, [{ place: 'other.json', text: JSON.stringify(OTHER) }]) as [Catalog, Catalog];
  const endpoint = (catalog: Catalog, path: string) => findEndpoint(catalog, path) as Endpoint;

  it('is said by the catalog, of each upstream in its own words', () => {
    const body = { account: 7, friends: [{ handle: 'c' }, { handle: 'd' }, {}], likes: ['x'], motto: 'carpe' };
    expect(subjectsIn(endpoint(other, '/who/'), 'handle=a&page=https%3A%2F%2Fother.example%2Fpeople%2Fb', body)).toEqual([
      { kind: 'username', value: 'a' },
      { kind: 'username', value: 'b' },
      { kind: 'user-id', value: '7' },
      { kind: 'username', value: 'c' },
      { kind: 'username', value: 'd' },
    ]);
    const profile = { user: { uniqueId: 'anna', id: '5', secUid: 'sec' } };
    expect(new Set(subjectsIn(endpoint(tiklive, '/userinfo-by-username/'), 'username=anna', profile).map(({ kind, value }) => `${kind} ${value}`))).toEqual(
      new Set(['username anna', 'user-id 5', 'sec-uid sec']),
    );
    expect(subjectsIn(endpoint(tiklive, '/post-detail/'), 'url=https%3A%2F%2Fwww.tiktok.com%2F%40anna%2Fvideo%2F7', {})).toEqual([{ kind: 'username', value: 'anna' }]);
  });

  it('is nobody where the answer is no JSON', () => expect(subjectsIn(endpoint(tiklive, '/userid/'), '', jsonIn(Buffer.from('<html>')))).toEqual([]));
});

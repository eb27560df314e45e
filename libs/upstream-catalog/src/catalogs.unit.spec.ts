import { readCatalogs, tiklive } from './index';

const endpoint = (id: string) => ({
  id,
  path: `/${id}/`,
  category: 'a',
  summary: 'One.',
  parameters: [],
  credits: 1,
  chargedStatuses: [200],
  lifetimeSeconds: 0,
  paging: { scheme: 'none' },
  personal: [],
  shape: {},
});
const document = (change: object = {}) => ({
  id: 'second',
  title: 'Second',
  basePath: '/second',
  origin: 'https://second.example',
  auth: { header: 'X-Key' },
  keyRate: { perMinute: 60, burst: 1 },
  scopes: [],
  testCall: { endpoint: 'one', query: {} },
  scopeProbes: [],
  balance: { path: '/left', field: 'left' },
  outOfCredits: { statuses: [402], members: [], phrases: [] },
  endpoints: [endpoint('one')],
  ...change,
});
const read = (...documents: object[]) => readCatalogs(tiklive, documents.map((one, index) => ({ place: `file ${index}`, text: JSON.stringify(one) })));

describe('several catalogs', () => {
  it('are read in their order, the built-in one first', () => {
    expect(read(document()).map(({ id }) => id)).toEqual(['tiklive', 'second']);
  });

  it.each([
    ['an id', { id: 'tiklive' }, "the catalog 'tiklive'"],
    ['a base path', { basePath: '/tiklive' }, "the base path '/tiklive'"],
    ['an endpoint', { endpoints: [endpoint('one'), endpoint('userid')] }, "the endpoint 'userid'"],
  ])('are refused when two of them have %s', (_, change, says) => {
    expect(() => read(document(change))).toThrow(says);
  });

  it('are refused with the place that is wrong', () => {
    expect(() => read(document({ keyRate: {} }))).toThrow(/file 0: .*keyRate/);
    expect(() => readCatalogs(tiklive, [{ place: 'a file', text: '{' }])).toThrow('a file is not JSON');
    expect(() => read(document({ unknown: 1 }))).toThrow(/unknown/);
  });
});

import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const symbol = { name: 'symbol', type: 'text', required: true, pattern: '[A-Z]{1,5}', maxLength: 5, personal: false };
const kept = { category: 'quotes', chargedStatuses: [200, 404], lifetimeSeconds: 60, personal: [] };

/** Another provider, with another way of naming its key, prices and a rate of its own, and answers that it charges although there is nothing. */
const QUOTES = {
  id: 'quotes',
  title: 'Quotes',
  basePath: '/quotes',
  origin: 'https://quotes.example',
  auth: { header: 'Api-Token' },
  keyRate: { perMinute: 60_000, burst: 1_000 },
  scopes: [],
  testCall: { endpoint: 'quote', query: { symbol: 'ABC' } },
  scopeProbes: [],
  balance: { path: '/left', field: 'left' },
  outOfCredits: { statuses: [402], members: [], phrases: [] },
  endpoints: [
    { ...kept, id: 'quote', path: '/quote/', summary: 'The price of one share.', parameters: [symbol], credits: 3, paging: { scheme: 'none' }, shape: { price: 'number' } },
    {
      ...kept,
      id: 'quote-trades',
      path: '/quote-trades/',
      summary: 'Trades of one share, by pages.',
      parameters: [symbol, { name: 'after', type: 'integer', required: false, minimum: 0, maximum: 1_000_000, default: 0, personal: false }],
      credits: 2,
      usualCron: '15 6 * * 1-5',
      paging: { scheme: 'cursor', parameter: 'after', field: 'last', hasMoreField: 'more', itemsField: 'trades' },
      shape: { trades: 'array', last: 'integer', more: 'boolean' },
    },
  ],
};

/** The file for WEIR_CATALOGS that makes it the second upstream. */
export function quotesCatalog(directory: string): string {
  const file = join(directory, 'quotes.json');
  writeFileSync(file, JSON.stringify(QUOTES));
  return file;
}

/** The provider itself, with what a service needs in its environment to know it. */
export interface SecondUpstream {
  readonly environment: Readonly<Record<string, string>>;
  readonly keyRate: { readonly perMinute: number; readonly burst: number };
  /** Every request so far, with the key that came along. */
  readonly asked: readonly { readonly url: string | undefined; readonly token: string | string[] | undefined }[];
  close(): Promise<void>;
}

export async function startSecondUpstream(directory: string): Promise<SecondUpstream> {
  const asked: { url: string | undefined; token: string | string[] | undefined }[] = [];
  const provider = createServer(({ url = '', headers }, response) => {
    asked.push({ url, token: headers['api-token'] });
    const [status, body] = answerTo(new URL(url, 'http://quotes'));
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const { port } = provider.address() as AddressInfo;
  return {
    environment: { WEIR_CATALOGS: quotesCatalog(directory), WEIR_UPSTREAM_URLS: `quotes=http://127.0.0.1:${port}` },
    keyRate: QUOTES.keyRate,
    asked,
    close: () => new Promise((resolve) => provider.close(() => resolve())),
  };
}

function answerTo({ pathname, searchParams }: URL): [number, object] {
  if (searchParams.get('symbol') === 'NONE') return [404, { error: 'none' }];
  if (pathname === '/quote/') return [200, { price: 12.5 }];
  const after = Number(searchParams.get('after'));
  return [200, { trades: [{ at: after }], last: after + 1, more: after < 4 }];
}

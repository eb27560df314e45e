import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { json, refusal, type Answer } from './answer';
import { newFault, type Faults } from './faults';
import { keyChange, newKey } from './keys';
import type { LatencySettings } from './latency';
import { send } from './send';
import type { State } from './state';

export const ADMIN_PREFIX = '/_simulator/';
const MAX_BODY_BYTES = 1 << 20;
const MAX_PAGE = 10_000;

const latencyChange = z
  .strictObject({ latencyP50Ms: z.number().nonnegative().max(60_000), latencySigma: z.number().nonnegative().max(3) })
  .partial();
const ledgerQuery = z.strictObject({
  key: z.string().max(200).optional(),
  after: z.coerce.number().int().nonnegative().optional(),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(MAX_PAGE),
});
const keyQuery = z.strictObject({ key: z.string().max(200).optional() });

/** What a handler is given: the last part of the path, the query and the body, unparsed. */
interface Asked {
  readonly name: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** The simulator's own API: keys, ledger, faults, settings. It has no authentication, so it listens where the simulator listens. */
export class Admin {
  constructor(
    private readonly state: State,
    private readonly faults: Faults,
    private readonly latency: { -readonly [K in keyof LatencySettings]: LatencySettings[K] },
  ) {}

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.answer(request).catch((error: unknown) => {
      if (error instanceof z.ZodError) return refusal(400, error.issues.map((i) => `${i.path.join('.') || 'body'}: ${i.message}`).join('; '));
      if (error instanceof BadBody) return refusal(400, error.message);
      throw error;
    });
    await this.state.journal.written;
    send(response, answer);
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://simulator');
    const [resource = '', ...rest] = pathname.slice(ADMIN_PREFIX.length).split('/').filter((part) => part !== '').map(decodeURIComponent);
    const route = `${request.method} ${resource}${rest.length === 0 ? '' : '/*'}`;
    const handler = this.routes[`${request.method} ${[resource, ...rest].join('/')}`] ?? (rest.length === 1 ? this.routes[route] : undefined);
    if (handler === undefined) return refusal(404, `There is no ${request.method} ${pathname} here`);
    return handler({ name: rest[0] ?? '', query: Object.fromEntries(searchParams), body: await readBody(request) });
  }

  private readonly routes: Readonly<Record<string, (asked: Asked) => Answer>> = {
    'GET health': () => json(200, { ok: true, keys: this.state.keys.list().length, faults: this.faults.list().length }),
    'GET settings': () => json(200, this.latency),
    'PUT settings': ({ body }) => {
      const change = latencyChange.parse(body);
      Object.assign(this.latency, change);
      return json(200, this.latency);
    },

    'GET keys': () => json(200, { data: this.state.keys.list() }),
    'POST keys': ({ body }) => {
      const key = newKey.parse(body);
      if (this.state.keys.find(key.key) !== undefined) return refusal(409, 'There is such a key already; PATCH changes it');
      return json(201, this.state.keys.set(key));
    },
    'GET keys/*': ({ name }) => this.withKey(name, (key) => json(200, key)),
    'PATCH keys/*': ({ name, body }) =>
      this.withKey(name, (key) => json(200, this.state.keys.set({ ...key, ...(keyChange.parse(body) as Partial<typeof key>) }))),
    'DELETE keys/*': ({ name }) => (this.state.keys.remove(name) ? NOTHING : refusal(404, 'There is no such key, or it is built in')),

    'GET ledger': ({ query }) => json(200, this.state.ledger.page(ledgerQuery.parse(query))),
    'GET ledger/totals': ({ query }) => json(200, { data: this.state.ledger.totals(keyQuery.parse(query).key) }),
    'DELETE ledger': ({ query }) => {
      this.state.ledger.clear(keyQuery.parse(query).key);
      return NOTHING;
    },

    'GET faults': () => json(200, { data: this.faults.list() }),
    'POST faults': ({ body }) => json(201, this.faults.add(newFault.parse(body))),
    'DELETE faults': () => {
      this.faults.clear();
      return NOTHING;
    },
    'DELETE faults/*': ({ name }) => (this.faults.remove(name) ? NOTHING : refusal(404, 'There is no such fault; it may be over')),
  };

  private withKey(name: string, then: (key: NonNullable<ReturnType<State['keys']['find']>>) => Answer): Answer {
    const key = this.state.keys.find(name);
    return key === undefined ? refusal(404, 'There is no such key') : then(key);
  }
}

const NOTHING: Answer = { status: 204, headers: {}, body: '', arrives: 'whole' };

class BadBody extends Error {}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new BadBody('The body is longer than 1 MiB');
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new BadBody('The body is not JSON');
  }
}

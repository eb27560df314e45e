import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import type { FastifyInstance } from 'fastify';
import { invalid, newId, type Clock, type RequestId } from '@weir/kernel';
import { rateLimitHeaders, type Priority } from '@weir/limiter';
import { assertOneAuthorization, problemAnswer, toAppError } from '@weir/service-host';
import type { Catalog, Query } from '@weir/upstream-catalog';
import type { Logger } from 'pino';
import type { FetcherMetrics } from '../metrics';
import { nothingShown, type Answer, type Shown } from './answer';
import { readTicket } from './ticket';
import type { CallRequest, DataPlane } from './call';

export interface CallRouteParts {
  readonly call: DataPlane['call'];
  readonly catalogs: readonly Catalog[];
  readonly metrics: FetcherMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Bytes; of more a copy costs more than the second piece. */
const ONE_PIECE = 8_192;

/** Where a request came from, and where its answer goes. */
interface Exchange {
  readonly id: RequestId;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface CallRoute {
  /**
   * A plain GET below a base path is answered before Fastify sees it: its hooks, router and reply cost as much as the checks of a call, and Nest's
   * guards, pipes and interceptors more than the call itself.
   */
  readonly direct: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** What is none (an escape in the path, a server that is closing), and what Fastify itself has to say of other methods. */
  readonly routes: (fastify: FastifyInstance) => void;
}

export function createCallRoute({ call, catalogs, metrics, clock, log }: CallRouteParts): CallRoute {
  const outbox = new Outbox();

  return {
    direct(request, response) {
      const { url = '' } = request;
      const catalog = catalogs.find(({ basePath }) => url.startsWith(basePath) && url[basePath.length] === '/');
      if (catalog === undefined || request.method !== 'GET' || url.includes('%00')) return false;
      const mark = url.indexOf('?');
      const path = url.slice(catalog.basePath.length, mark < 0 ? undefined : mark);
      if (path.includes('%')) return false;
      answer({ id: newId('req'), request, response }, catalog, path, mark < 0 ? NO_QUERY : (parseQuery(url.slice(mark + 1)) as Query));
      return true;
    },
    routes(fastify) {
      for (const catalog of catalogs) {
        fastify.get(`${catalog.basePath}/*`, { exposeHeadRoute: false }, ({ id, raw, params, query }, reply) => {
          reply.hijack();
          answer({ id: id as RequestId, request: raw, response: reply.raw }, catalog, `/${(params as { '*': string })['*']}`, query as Query);
        });
      }
    },
  };

  function answer(exchange: Exchange, catalog: Catalog, path: string, query: Query): void {
    const shown = nothingShown();
    try {
      call(tokenOf(exchange.request), read(exchange, catalog, path, query), shown).then(
        (found) => outbox.add(() => send(exchange, found, shown)),
        (thrown: unknown) => refuse(exchange, thrown, shown),
      );
    } catch (thrown) {
      refuse(exchange, thrown, shown);
    }
  }

  function send({ id, response }: Exchange, { status, contentType, body }: Answer, shown: Shown): void {
    const headers = ['weir-request-id', id, 'content-type', contentType, 'content-length', String(body.length)];
    show(headers, shown, clock());
    response.writeHead(status, headers);
    // as a text of its bytes it goes out with the head in one piece
    if (body.length <= ONE_PIECE) response.end(body.toString('latin1'), 'latin1');
    else response.end(body);
    metrics.calls.inc(shown.endpoint, status, shown.cache ?? '');
  }

  function refuse({ id, request, response }: Exchange, thrown: unknown, shown: Shown): void {
    const error = toAppError(thrown);
    const problem = problemAnswer(error, { id, url: request.url ?? '' }, log);
    const headers = ['weir-request-id', id, 'content-length', String(Buffer.byteLength(problem.body))];
    for (const name in problem.headers) headers.push(name, problem.headers[name] ?? '');
    if (error.retryAfter === undefined && error.status === 503) headers.push('retry-after', '1');
    show(headers, shown, clock());
    response.writeHead(error.status, headers);
    response.end(problem.body);
    metrics.calls.inc(shown.endpoint, error.status, '');
  }
}

const NO_QUERY: Query = {};

/**
 * What is ready in one turn of the event loop goes out together at its end: each write wakes whoever reads it, and those who are awake already
 * need not be woken again. Alone an answer waits for nothing.
 */
class Outbox {
  private waiting: (() => void)[] = [];

  add(send: () => void): void {
    if (this.waiting.push(send) === 1) setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    const ready = this.waiting;
    this.waiting = [];
    for (const send of ready) send();
  };
}

function tokenOf(request: IncomingMessage): string | undefined {
  assertOneAuthorization({ raw: request });
  const key = request.headers['x-api-key'];
  return request.headers.authorization ?? (typeof key === 'string' ? key : undefined);
}

function read({ id, request: { headers }, response }: Exchange, catalog: Catalog, path: string, query: Query): CallRequest {
  return {
    requestId: id,
    catalog,
    path,
    query,
    maxAgeMs: secondsOf('Weir-Max-Age', headers['weir-max-age']),
    maxWaitMs: secondsOf('Weir-Max-Wait', headers['weir-max-wait']) ?? 0,
    ticket: readTicket(headers['weir-ticket']),
    priority: priorityOf(headers['weir-priority']),
    gone: () => goneSignal(response),
    idempotencyKey: idempotencyKeyOf(headers['idempotency-key']),
    timeoutMs: secondsOf('Weir-Timeout', headers['weir-timeout']),
  };
}

function priorityOf(header: string | string[] | undefined): Priority | undefined {
  if (header === undefined) return undefined;
  const known = PRIORITIES.find((priority) => priority === header);
  if (known === undefined) throw invalid(`Weir-Priority is one of ${PRIORITIES.join(', ')}.`);
  return known;
}

const PRIORITIES = ['interactive', 'batch'] as const;

/** Made for a caller that is held, and for no other: a listener on each answer would cost every call. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (response.destroyed) gone.abort();
  else response.once('close', () => gone.abort());
  return gone.signal;
}

function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(header)) throw invalid('Idempotency-Key must have 1 to 255 printable characters, without spaces.');
  return header;
}

/** In ms. */
function secondsOf(name: string, header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^\d{1,9}$/.test(header)) throw invalid(`${name} takes whole seconds, such as 60.`);
  return Number(header) * 1_000;
}

/** Adds names and values in turn. */
function show(headers: string[], { credits, key, cache, limits, fetchedAt, replayed, ticket }: Shown, now: number): void {
  headers.push('weir-credits', String(credits), 'cache-control', 'private, no-store');
  if (key !== undefined) headers.push('weir-key', key);
  if (cache !== undefined) headers.push('weir-cache', cache);
  if (fetchedAt !== undefined) headers.push('age', String(Math.max(0, Math.floor((now - fetchedAt) / 1_000))));
  if (replayed) headers.push('idempotent-replayed', 'true');
  if (ticket !== undefined) headers.push('weir-ticket', ticket);
  const shown = rateLimitHeaders(limits.limits, now);
  for (const name in shown) headers.push(name, shown[name] ?? '');
}

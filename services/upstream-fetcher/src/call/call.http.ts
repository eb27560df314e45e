import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock, RequestId } from '@weir/kernel';
import { invalid } from '@weir/kernel';
import { rateLimitHeaders, type Priority } from '@weir/limiter';
import { assertOneAuthorization, sendProblem, toAppError, type WeirRequest } from '@weir/service-host';
import type { Catalog, Query } from '@weir/upstream-catalog';
import type { Logger } from 'pino';
import type { FetcherMetrics } from '../metrics';
import { nothingShown, type Answer, type Shown } from './answer';
import { readTicket } from './ticket';
import type { CallRequest, DataPlane } from './call';

export interface CallRouteParts {
  readonly call: DataPlane['call'];
  readonly catalog: Catalog;
  readonly metrics: FetcherMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Bytes; of more a copy costs more than the second piece. */
const ONE_PIECE = 8_192;

/** The data plane, a raw route on Nest's own Fastify: its guards, pipes and interceptors would cost more than the call itself. */
export function callRoute({ call, catalog, metrics, clock, log }: CallRouteParts): (fastify: FastifyInstance) => void {
  const outbox = new Outbox();
  return (fastify) => {
    fastify.get(`${catalog.basePath}/*`, { exposeHeadRoute: false }, (request, reply) => {
      const shown = nothingShown();
      try {
        call(tokenOf(request), read(catalog, request, reply), shown).then(
          (answer) => outbox.add(() => send(request, reply, answer, shown)),
          (thrown: unknown) => refuse(request, reply, thrown, shown),
        );
      } catch (thrown) {
        refuse(request, reply, thrown, shown);
      }
    });
  };

  /** Past Fastify's reply, whose hooks and checks nobody needs here: they would cost a tenth of the call. */
  function send({ id }: FastifyRequest, reply: FastifyReply, { status, contentType, body }: Answer, shown: Shown): void {
    const headers = ['weir-request-id', id, 'content-type', contentType, 'content-length', String(body.length)];
    show(headers, shown, clock());
    reply.hijack();
    reply.raw.writeHead(status, headers);
    // as a text of its bytes it goes out with the head in one piece
    if (body.length <= ONE_PIECE) reply.raw.end(body.toString('latin1'), 'latin1');
    else reply.raw.end(body);
    metrics.calls.inc(shown.endpoint, status, shown.cache ?? '');
  }

  function refuse(request: FastifyRequest, reply: FastifyReply, thrown: unknown, shown: Shown): void {
    const error = toAppError(thrown);
    const headers: string[] = [];
    show(headers, shown, clock());
    for (let i = 0; i < headers.length; i += 2) void reply.header(headers[i] ?? '', headers[i + 1]);
    if (error.retryAfter === undefined && error.status === 503) void reply.header('retry-after', '1');
    sendProblem(reply, request, error, log);
    metrics.calls.inc(shown.endpoint, error.status, '');
  }
}

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

function tokenOf(request: FastifyRequest): string | undefined {
  assertOneAuthorization(request as WeirRequest);
  const key = request.headers['x-api-key'];
  return request.headers.authorization ?? (typeof key === 'string' ? key : undefined);
}

function read(catalog: Catalog, request: FastifyRequest, reply: FastifyReply): CallRequest {
  const { headers } = request;
  return {
    requestId: request.id as RequestId,
    catalog,
    path: `/${(request.params as { '*': string })['*']}`,
    query: request.query as Query,
    maxAgeMs: secondsOf('Weir-Max-Age', headers['weir-max-age']),
    maxWaitMs: secondsOf('Weir-Max-Wait', headers['weir-max-wait']) ?? 0,
    ticket: readTicket(headers['weir-ticket']),
    priority: priorityOf(headers['weir-priority']),
    gone: () => goneSignal(reply),
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
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (raw.destroyed) gone.abort();
  else raw.once('close', () => gone.abort());
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

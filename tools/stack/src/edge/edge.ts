import { randomUUID } from 'node:crypto';
import { Agent, createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AppError, type Category } from '@weir/kernel';
import { toProblem } from '@weir/service-host';
import type { ServiceName } from '@weir/tenancy';
import { routeOf } from '../routes';
import { mergedDocument } from './openapi';

export interface EdgeOptions {
  readonly host: string;
  readonly port: number;
  /** Addresses of the replicas, such as `http://127.0.0.1:8081`. */
  readonly replicas: ReadonlyMap<ServiceName, readonly string[]>;
}

export interface Edge {
  readonly url: string;
  close(): Promise<void>;
}

/** As a service itself takes at most, and some. */
const BODY_LIMIT = 2 * 1_048_576;
const TIMEOUT_MS = 60_000;
/** What belongs to one connection and not to the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect', 'content-length']);

/**
 * Routes by path, in turn over the replicas, and nothing else: every service authenticates for itself. A replica that takes no
 * connection is passed over; a call that has reached one is not sent twice.
 */
export async function startEdge({ host, port, replicas }: EdgeOptions): Promise<Edge> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1_024 });
  const turns = new Map<ServiceName, number>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (path === '/v1/openapi.json') return json(response, await mergedDocument(replicas));
    const service = routeOf(path);
    const addresses = service === undefined ? undefined : replicas.get(service);
    if (service === undefined || addresses === undefined) throw problem('not-found', 'not-found', 'There is nothing at this address.');
    const body = await bodyOf(request);

    const turn = (turns.get(service) ?? -1) + 1;
    turns.set(service, turn);
    for (let i = 0; i < addresses.length; i++) {
      const address = addresses[(turn + i) % addresses.length] as string;
      if (await forward(address, request, body, response)) return;
    }
    throw problem('service-unavailable', 'unavailable', `No replica of ${service} takes connections now. Try again in a moment.`, 1);
  }

  /** false: nobody listens there, and nothing was sent. */
  function forward(address: string, request: IncomingMessage, body: Buffer, response: ServerResponse): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const headers = withoutHops(request.rawHeaders);
      if (body.length > 0 || request.headers['content-length'] !== undefined) headers.push('content-length', String(body.length));
      const onward = send(`${address}${request.url}`, { method: request.method ?? 'GET', headers, agent, timeout: TIMEOUT_MS });
      const gone = () => onward.destroy();
      response.once('close', gone);
      onward.once('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.statusMessage, withoutHops(answer.rawHeaders, 'content-length'));
        answer.pipe(response);
        answer.once('error', () => response.destroy());
        answer.once('close', () => {
          response.off('close', gone);
          if (!answer.complete) response.destroy();
          resolve(true);
        });
      });
      onward.once('timeout', () => onward.destroy(problem('upstream-timeout', 'timeout', 'The service did not answer in time.')));
      onward.once('error', (error: NodeJS.ErrnoException) => {
        response.off('close', gone);
        if (error.code === 'ECONNREFUSED') return resolve(false);
        reject(error instanceof AppError ? error : problem('service-failed', 'bad-gateway', 'The service broke the connection off. Whether it has done its work is not known: ask for it before you repeat.'));
      });
      onward.end(body);
    });
  }

  const server = createServer({ requestTimeout: TIMEOUT_MS, keepAliveTimeout: 15_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => fail(response, error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new AppError('port-in-use', 'invalid', `port ${port} is in use: set WEIR_PORT to another, or to 0 for any`) : error),
    );
    server.listen(port, host, resolve);
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 2_000).unref();
        agent.destroy();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > BODY_LIMIT) throw problem('body-too-large', 'invalid', `A body has ${BODY_LIMIT} bytes at most.`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Pairs as they came, repeated headers included: what a service must refuse, it must see. */
function withoutHops(raw: readonly string[], ...keep: string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    if (!HOP_BY_HOP.has(name) || keep.includes(name)) kept.push(raw[i] as string, raw[i + 1] as string);
  }
  return kept;
}

const problem = (code: string, category: Category, message: string, retryAfter?: number) =>
  new AppError(code, category, message, retryAfter === undefined ? {} : { retryAfter });

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const known = error instanceof AppError ? error : problem('service-failed', 'bad-gateway', 'The request could not be passed on.');
  const status = known.code === 'body-too-large' ? 413 : known.status;
  const headers = { 'content-type': 'application/problem+json', ...(known.retryAfter === undefined ? {} : { 'retry-after': String(known.retryAfter) }), ...(status === 413 ? { connection: 'close' } : {}) };
  response.writeHead(status, headers);
  response.end(JSON.stringify({ ...toProblem(known, `edge_${randomUUID()}`), status }));
}

function json(response: ServerResponse, document: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(document));
}

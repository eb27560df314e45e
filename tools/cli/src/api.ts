import { randomUUID } from 'node:crypto';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Refused, Unreachable, type Problem } from './failures';
import type { Session } from './session';

export type Query = Readonly<Record<string, string | number | undefined>>;
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a client shows what it is given
export type Json = any;

export interface Asked {
  readonly query?: Query;
  readonly body?: object;
  /** A body that is no JSON, in its place. */
  readonly bytes?: { readonly type: string; readonly data: Uint8Array<ArrayBuffer> };
  readonly headers?: Readonly<Record<string, string>>;
}

/** A page, or several put together. */
export interface Listed {
  readonly data: readonly Json[];
  /** Where to go on, when there is more. */
  readonly nextCursor: string | null;
}

const MAX_PAGE = 100;
const TRIES = 3;
const LONGEST_WAIT_S = 5;

/** The HTTP API, with one token. Every POST bears an Idempotency-Key, so that trying again does nothing twice. */
export class Api {
  constructor(private readonly session: Session) {}

  get = (path: string, asked: Asked = {}): Promise<Json> => this.json('GET', path, asked);
  post = (path: string, asked: Asked = {}): Promise<Json> => this.json('POST', path, asked.bytes === undefined ? { body: {}, ...asked } : asked);
  put = (path: string, asked: Asked = {}): Promise<Json> => this.json('PUT', path, asked);
  patch = (path: string, asked: Asked = {}): Promise<Json> => this.json('PATCH', path, asked);
  delete = (path: string): Promise<Json> => this.json('DELETE', path, {});

  /** The first `limit` items over as many pages as that takes; 0: all of them. */
  async list(path: string, limit: number, query: Query = {}): Promise<Listed> {
    const data: Json[] = [];
    let cursor: string | null = null;
    do {
      const left = limit === 0 ? MAX_PAGE : limit - data.length;
      const page = (await this.get(path, { query: { ...query, limit: Math.min(MAX_PAGE, left), ...(cursor === null ? {} : { cursor }) } })) as Listed;
      data.push(...page.data);
      cursor = page.nextCursor;
    } while (cursor !== null && (limit === 0 || data.length < limit));
    return { data, nextCursor: cursor };
  }

  /** An answer as it comes, for what is too long to hold, into `to`, no faster than that takes it. */
  async stream(path: string, asked: Asked, to: Writable, { end = false }: { end?: boolean } = {}): Promise<void> {
    const response = await this.send('GET', path, asked);
    try {
      await pipeline((response.body ?? []) as unknown as AsyncIterable<Uint8Array>, to, { end });
    } catch (error) {
      // what fetch throws; what `to` says has a code
      if ((error as Error).name === 'TypeError') throw new Unreachable(`the answer of ${this.session.url} broke off`);
      throw error;
    }
  }

  private async json(method: string, path: string, asked: Asked): Promise<Json> {
    const response = await this.send(method, path, asked);
    const text = await response.text();
    if (text === '') return null;
    try {
      return JSON.parse(text) as Json;
    } catch {
      throw new Unreachable(`${this.session.url} does not answer as Weir does: ${method} ${path} gave no JSON. Is the address right?`);
    }
  }

  private async send(method: string, path: string, { query = {}, body, bytes, headers = {} }: Asked): Promise<Response> {
    const url = new URL(`${this.session.url}${path}`);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
    const request: RequestInit = {
      method,
      headers: {
        authorization: `Bearer ${this.session.token}`,
        accept: 'application/json',
        'user-agent': 'weir-cli',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(bytes === undefined ? {} : { 'content-type': bytes.type }),
        ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(bytes === undefined ? {} : { body: bytes.data }),
    };
    for (let attempt = 1; ; attempt++) {
      const response = await fetch(url, request).catch((error: unknown) => (attempt < TRIES && wasCut(error) ? undefined : this.unreachable(error)));
      if (response === undefined) continue;
      if (response.ok) return response;
      const waitS = Number(response.headers.get('retry-after') ?? Infinity);
      if (response.status !== 503 || attempt === TRIES || !(waitS <= LONGEST_WAIT_S)) throw new Refused(response.status, await problemOf(response));
      await response.body?.cancel();
      await sleep(waitS * 1_000);
    }
  }

  private unreachable(error: unknown): never {
    const cause = (error as { cause?: NodeJS.ErrnoException }).cause;
    const why = cause?.code === 'ECONNREFUSED' ? 'nothing listens there; is Weir running?' : (cause?.message ?? (error as Error).message);
    throw new Unreachable(`cannot reach ${this.session.url}: ${why}`);
  }
}

/** The connection was there and broke: whether the request was heard is open, and its Idempotency-Key makes that no matter. */
const wasCut = (error: unknown): boolean => ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'].includes((error as { cause?: { code?: string } }).cause?.code ?? '');

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  const requestId = response.headers.get('weir-request-id') ?? undefined;
  const plain = { code: `http-${response.status}`, detail: `The answer was ${response.status} ${response.statusText}.`, requestId };
  try {
    const parsed = JSON.parse(text) as Partial<Problem>;
    return { ...plain, ...parsed };
  } catch {
    return plain;
  }
}

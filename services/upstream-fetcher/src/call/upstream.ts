import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Client, Dispatcher } from 'undici';
import { Connections, type Waiting } from '../upstream/connections';
import { Deadlines, type Deadline } from '../upstream/deadlines';
import type { Received } from './classify';

/** What came of sending. Only `not-sent` is certain to have cost nothing. */
export type Reply =
  | ({ readonly is: 'received' } & Received)
  /** An answer that is too large, before or after decompression, or packed in a way that was not asked for. */
  | { readonly is: 'unusable'; readonly status: number; readonly why: string }
  /** No connection, or the time was over before there was one. */
  | { readonly is: 'not-sent'; readonly why: string; readonly timedOut: boolean }
  | { readonly is: 'timeout' }
  /** The connection ended amid the call. */
  | { readonly is: 'cut'; readonly why: string };

/** Step 8: one attempt. Never rejects: whatever happens on the wire is a reply. */
export interface Upstream {
  send(request: UpstreamRequest): Promise<Reply>;
  close(): Promise<void>;
}

export interface UpstreamRequest {
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  /** Where its caller waits less long for the whole attempt, waiting for a connection included. */
  readonly withinMs: number | undefined;
}

export interface UpstreamOptions {
  /** Origin and, where there is one, the path before every endpoint's. */
  readonly url: string;
  readonly connectTimeoutMs: number;
  /** Of a whole attempt, waiting for a connection included. */
  readonly timeoutMs: number;
  readonly connections: number;
  readonly maxBodyBytes: number;
}

export function createUpstream({ url, connectTimeoutMs, timeoutMs, connections, maxBodyBytes }: UpstreamOptions): Upstream {
  const { origin, pathname } = new URL(url);
  const prefix = pathname.replace(/\/$/, '');
  const pool = new Connections({ origin, most: connections, connectTimeoutMs });
  const deadlines = new Deadlines<Exchange>(timeoutMs, (exchange) => exchange.overtime());
  return {
    send: ({ path, headers, withinMs }) =>
      new Promise<Reply>((resolve) => {
        pool.take(new Exchange({ path: prefix + path, method: 'GET', headers: headers as string[] }, maxBodyBytes, deadlines, withinMs, resolve));
      }),
    close: () => pool.close(),
  };
}

const unzip = promisify(gunzip);

/** One request and its answer as undici hands it over: no streams, which cost more than the answer. */
class Exchange implements Dispatcher.DispatchHandler, Waiting {
  private client: Client | undefined;
  private connections: Connections | undefined;
  private controller: Dispatcher.DispatchController | undefined;
  private status = 0;
  private headers: Record<string, string | string[] | undefined> = {};
  private readonly chunks: Buffer[] = [];
  private bytes = 0;
  ended = false;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly deadline: Deadline<Exchange> | undefined;

  constructor(
    private readonly options: Dispatcher.DispatchOptions,
    private readonly maxBodyBytes: number,
    private readonly deadlines: Deadlines<Exchange>,
    withinMs: number | undefined,
    private readonly resolve: (reply: Reply) => void,
  ) {
    if (withinMs === undefined) this.deadline = deadlines.begin(this);
    else this.timer = setTimeout(() => this.overtime(), withinMs);
  }

  begin(client: Client, connections: Connections): void {
    this.client = client;
    this.connections = connections;
    client.dispatch(this.options, this);
  }

  /** Called when a connection is there, just before the request is written. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.ended) controller.abort(new Error('the time was over before there was a connection'));
    else this.controller = controller;
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.bytes <= this.maxBodyBytes) return void this.chunks.push(chunk);
    this.end({ is: 'unusable', status: this.status, why: `more than ${this.maxBodyBytes} bytes` });
  }

  onResponseEnd(): void {
    this.free();
    if (this.ended) return;
    const body = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks, this.bytes);
    const encoding = this.header('content-encoding');
    if (encoding === undefined || encoding === 'identity' || body.length === 0) return this.end(this.received(body));
    if (encoding !== 'gzip')
      return this.end({ is: 'unusable', status: this.status, why: 'a content encoding that was not asked for' });
    unzip(body, { maxOutputLength: this.maxBodyBytes }).then(
      (unzipped) => this.end(this.received(unzipped)),
      (error: Error) => this.end({ is: 'unusable', status: this.status, why: `cannot be decompressed: ${error.message}` }),
    );
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.free();
    if (this.controller === undefined) this.end({ is: 'not-sent', why: error.message, timedOut: false });
    else this.end({ is: 'cut', why: error.message });
  }

  private free(): void {
    const { client } = this;
    this.client = undefined;
    if (client !== undefined) this.connections?.release(client);
  }

  overtime(): void {
    this.end(
      this.controller === undefined ? { is: 'not-sent', why: 'no connection in time', timedOut: true } : { is: 'timeout' },
    );
  }

  private end(reply: Reply): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    if (this.deadline !== undefined) this.deadlines.end(this.deadline);
    if (reply.is === 'timeout' || reply.is === 'unusable') this.controller?.abort(new Error(reply.is));
    this.resolve(reply);
  }

  private received(body: Buffer): Reply {
    return {
      is: 'received',
      status: this.status,
      contentType: this.header('content-type'),
      retryAfter: this.header('retry-after'),
      statedRate: this.header('ratelimit-policy') ?? this.header('x-ratelimit-limit'),
      body,
    };
  }

  private header(name: string): string | undefined {
    const value = this.headers[name];
    return typeof value === 'string' ? value : value?.[0];
  }
}

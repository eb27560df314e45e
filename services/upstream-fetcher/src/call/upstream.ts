import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { TooLarge, type WireAnswer } from '../upstream/answer-reader';
import type { Connection, WireCall } from '../upstream/connection';
import { Connections } from '../upstream/connections';
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
  const { protocol, host, hostname, port, pathname } = new URL(url);
  const prefix = pathname.replace(/\/$/, '');
  const secure = protocol === 'https:';
  const pool = new Connections({
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    secure,
    most: connections,
    connectTimeoutMs,
  });
  const deadlines = new Deadlines<Exchange>(timeoutMs, (exchange) => exchange.overtime());
  const start = `GET ${prefix}`;
  const rest = ` HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  const textOf = ({ path, headers }: UpstreamRequest): string | undefined => {
    let text = start + path + rest;
    let sound = PATH.test(path);
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i] ?? '';
      const value = headers[i + 1] ?? '';
      sound &&= NAME.test(name) && TEXT.test(value);
      text += `${name}: ${value}\r\n`;
    }
    return sound ? `${text}\r\n` : undefined;
  };
  return {
    send: (request) =>
      new Promise<Reply>((resolve) => {
        const text = textOf(request);
        if (text === undefined)
          return resolve({
            is: 'not-sent',
            why: 'a line break or another character that a request cannot have',
            timedOut: false,
          });
        pool.take(new Exchange(text, maxBodyBytes, deadlines, request.withinMs, resolve));
      }),
    close: () => pool.close(),
  };
}

/** Without a fragment, which no request has. */
const PATH = /^\/[\x21\x22\x24-\x7e]*$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i;
const TEXT = /^[\t\x20-\x7e]*$/;
const unzip = promisify(gunzip);

/** One request and its answer: no streams, which cost more than the answer. */
class Exchange implements WireCall {
  private connection: Connection | undefined;
  private sent = false;
  ended = false;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly deadline: Deadline<Exchange> | undefined;

  constructor(
    readonly request: string,
    readonly maxBodyBytes: number,
    private readonly deadlines: Deadlines<Exchange>,
    withinMs: number | undefined,
    private readonly resolve: (reply: Reply) => void,
  ) {
    if (withinMs === undefined) this.deadline = deadlines.begin(this);
    else this.timer = setTimeout(() => this.overtime(), withinMs);
  }

  sending(connection: Connection): void {
    this.connection = connection;
    this.sent = true;
  }

  answered({ status, headers, body }: WireAnswer): void {
    this.connection = undefined;
    if (this.ended) return;
    const encoding = headers['content-encoding']?.toLowerCase();
    if (encoding === undefined || encoding === 'identity' || body.length === 0) return this.end(received(status, headers, body));
    if (encoding !== 'gzip') return this.end({ is: 'unusable', status, why: 'a content encoding that was not asked for' });
    unzip(body, { maxOutputLength: this.maxBodyBytes }).then(
      (unzipped) => this.end(received(status, headers, unzipped)),
      (error: Error) => this.end({ is: 'unusable', status, why: `cannot be decompressed: ${error.message}` }),
    );
  }

  failed(error: Error): void {
    this.connection = undefined;
    if (error instanceof TooLarge) this.end({ is: 'unusable', status: error.status, why: error.message });
    else if (this.sent) this.end({ is: 'cut', why: error.message });
    else this.end({ is: 'not-sent', why: error.message, timedOut: false });
  }

  overtime(): void {
    const { connection } = this;
    this.end(this.sent ? { is: 'timeout' } : { is: 'not-sent', why: 'no connection in time', timedOut: true });
    connection?.destroy();
  }

  private end(reply: Reply): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    if (this.deadline !== undefined) this.deadlines.end(this.deadline);
    this.resolve(reply);
  }
}

const received = (status: number, headers: WireAnswer['headers'], body: Buffer): Reply => ({
  is: 'received',
  status,
  contentType: headers['content-type'],
  retryAfter: headers['retry-after'],
  statedRate: headers['ratelimit-policy'] ?? headers['x-ratelimit-limit'],
  body,
});

import { connect, type Socket } from 'node:net';
import type { Sample } from '../bench';

/** Where a load goes, and what each of its calls is. */
export interface Target {
  readonly port: number;
  /** The n-th request, as it goes over the wire. */
  readonly request: (n: number) => string;
  /** Checked in every answer, in lower case: the status line, or a header. */
  readonly expected?: string;
}

/**
 * HTTP/1.1 over bare sockets, so that the client takes as little of the machine as it can: answers are found by their Content-Length.
 * Anything but 200 ends the bench, since what is refused is cheaper than what is answered.
 */
class Connection {
  private readonly socket: Socket;
  private pending: Buffer | undefined;
  private needed = 0;
  busy = false;
  private done: (() => void) | undefined;

  constructor(
    port: number,
    private readonly expected: string,
    private readonly fail: (error: Error) => void,
  ) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('data', (chunk) => this.take(chunk));
    this.socket.on('error', fail);
    this.socket.on('close', () => this.busy && fail(new Error('a connection was closed amid a call')));
  }

  send(request: string, done: () => void): void {
    this.busy = true;
    this.done = done;
    this.socket.write(request, 'latin1');
  }

  close(): void {
    this.busy = false;
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    const bytes = this.pending === undefined ? chunk : Buffer.concat([this.pending, chunk]);
    if (this.needed === 0) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return void (this.pending = bytes);
      const head = bytes.toString('latin1', 0, end).toLowerCase();
      if (!head.startsWith('http/1.1 200') || !head.includes(this.expected)) {
        return this.fail(new Error(`an answer that was not expected: ${bytes.toString('latin1', 0, 900)}`));
      }
      const at = head.indexOf('content-length: ');
      if (at < 0) return this.fail(new Error(`an answer without a length: ${head}`));
      this.needed = end + 4 + parseInt(head.slice(at + 16, at + 26), 10);
    }
    if (bytes.length < this.needed) return void (this.pending = bytes);
    this.pending = undefined;
    this.needed = 0;
    this.busy = false;
    this.done?.();
  }
}

/** So many calls at once, each followed by the next as soon as it is answered. */
export function closedLoop({ port, request, expected = '' }: Target, connections: number, seconds: number, from: number): Promise<Sample> {
  return new Promise((resolve, reject) => {
    let n = from;
    let open = connections;
    let answered = 0;
    const begun = performance.now();
    const end = begun + seconds * 1_000;
    const all = Array.from({ length: connections }, () => new Connection(port, expected, failed));
    function failed(error: Error): void {
      for (const one of all) one.close();
      reject(error);
    }
    const next = (connection: Connection) => {
      answered++;
      if (performance.now() < end) return connection.send(request(n++), () => next(connection));
      connection.close();
      if (--open === 0) resolve({ operations: answered, seconds: (performance.now() - begun) / 1_000 });
    };
    for (const connection of all) connection.send(request(n++), () => next(connection));
  });
}

/**
 * Calls at a constant rate, whether those before them were answered or not: latency counts from when a call was due, so that a server that
 * stalls is not spared what would have come meanwhile. The first fifth is not counted.
 */
export function constantRate({ port, request, expected = '' }: Target, rate: number, seconds: number, from: number): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const idle: Connection[] = [];
    const all: Connection[] = [];
    const latencies: number[] = [];
    const total = Math.floor(rate * seconds);
    const counted = Math.floor(total / 5);
    const everyMs = 1_000 / rate;
    let sent = 0;
    let answered = 0;
    let most = 0;
    const begun = performance.now();
    function failed(error: Error): void {
      clearInterval(timer);
      for (const one of all) one.close();
      reject(error);
    }
    function open(): Connection {
      const connection = new Connection(port, expected, failed);
      all.push(connection);
      return connection;
    }
    function send(n: number): void {
      const due = begun + n * everyMs;
      const connection = idle.pop() ?? open();
      most = Math.max(most, n + 1 - answered);
      connection.send(request(from + n), () => {
        answered++;
        idle.push(connection);
        if (n >= counted) latencies.push(performance.now() - due);
        if (answered === total) finish();
      });
    }
    function finish(): void {
      const tookMs = performance.now() - begun;
      for (const one of all) one.close();
      latencies.sort((a, b) => a - b);
      const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? NaN;
      resolve({ operations: answered, seconds: tookMs / 1_000, figures: { 'p50 ms': at(0.5), 'p99 ms': at(0.99), 'in flight': most } });
    }
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor((performance.now() - begun) / everyMs) + 1);
      while (sent < due) send(sent++);
      if (sent === total) clearInterval(timer);
    }, 1);
  });
}

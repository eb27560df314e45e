import { Connection, type ConnectionOptions, type ConnectionOwner, type WireCall } from './connection';

export interface ConnectionsOptions extends ConnectionOptions {
  readonly most: number;
}

const SWEEP_MS = 1_000;
const CLOSED = 'the connections are closed';

/**
 * Connections to one origin, each for one call at a time. The free ones stand in a list, and the one that was used last is taken first, so that
 * those which nobody needs end by themselves.
 */
export class Connections implements ConnectionOwner {
  private readonly all = new Set<Connection>();
  private readonly idle: Connection[] = [];
  private waiting: WireCall[] = [];
  private readonly sweeping = setInterval(() => this.sweep(), SWEEP_MS).unref();
  private closed = false;

  constructor(private readonly options: ConnectionsOptions) {}

  /** Begins at once where a connection is free or one more may be made, else in the order of coming. */
  take(call: WireCall): void {
    if (this.closed) return call.failed(new Error(CLOSED));
    const now = performance.now();
    for (let free = this.idle.pop(); free !== undefined; free = this.idle.pop()) {
      if (free.usable(now)) return free.send(call);
      free.destroy();
    }
    if (this.all.size < this.options.most) this.all.add(new Connection(this.options, this, call));
    else this.waiting.push(call);
  }

  free(connection: Connection): void {
    const next = this.next();
    if (next !== undefined) connection.send(next);
    else if (this.closed) connection.destroy();
    else this.idle.push(connection);
  }

  gone(connection: Connection): void {
    this.all.delete(connection);
    const next = this.closed ? undefined : this.next();
    if (next !== undefined) this.take(next);
  }

  /** Calls that wait or are on their way have failed then. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.sweeping);
    const { waiting } = this;
    this.waiting = [];
    for (const call of waiting) if (!call.ended) call.failed(new Error(CLOSED));
    for (const connection of this.all) connection.fail(new Error(CLOSED));
  }

  private next(): WireCall | undefined {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) if (!next.ended) return next;
    return undefined;
  }

  /** From those that have waited longest. */
  private sweep(): void {
    const now = performance.now();
    let fresh = 0;
    while (fresh < this.idle.length && this.idle[fresh]?.usable(now) === false) fresh++;
    for (const connection of this.idle.splice(0, fresh)) connection.destroy();
  }
}

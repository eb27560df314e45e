import { Client } from 'undici';

/** One call on its way, which hears when it may begin. */
export interface Waiting {
  /** It waits no longer. */
  readonly ended: boolean;
  /** `connections.release(client)` is to be called once, when the connection is free again. */
  begin(client: Client, connections: Connections): void;
}

export interface ConnectionsOptions {
  readonly origin: string;
  readonly most: number;
  readonly connectTimeoutMs: number;
}

/**
 * Connections to one origin, each for one call at a time. undici's own pool looks through all of them for a free one with each call; here the
 * free ones stand in a list, and the one that was used last is taken first, so that those which nobody needs end by themselves.
 */
export class Connections {
  private readonly all: Client[] = [];
  private readonly free: Client[] = [];
  private waiting: Waiting[] = [];

  constructor(private readonly options: ConnectionsOptions) {}

  /** Begins at once where a connection is free or one more may be made, else in the order of coming. */
  take(call: Waiting): void {
    const client = this.free.pop() ?? (this.all.length < this.options.most ? this.connect() : undefined);
    if (client === undefined) this.waiting.push(call);
    else call.begin(client, this);
  }

  async close(): Promise<void> {
    this.waiting = [];
    await Promise.all(this.all.map((client) => client.destroy()));
  }

  release(client: Client): void {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      if (!next.ended) return next.begin(client, this);
    }
    this.free.push(client);
  }

  private connect(): Client {
    const { origin, connectTimeoutMs } = this.options;
    const client = new Client(origin, {
      pipelining: 1,
      allowH2: false,
      connect: { timeout: connectTimeoutMs },
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.all.push(client);
    return client;
  }
}

import { Client } from 'pg';
import { sleep } from '@weir/kernel';
import { withinGrace } from '../grace';

const GRACE_MS = 2_000;

export interface ListenerOptions {
  readonly url: string;
  /** Held as an advisory lock for as long as the connection lives: other processes see by it that this one does. */
  readonly sessionId: string;
  readonly onEnd: (topic: string, partition: number, end: number) => void;
  readonly onGroup: (group: string) => void;
  /** Whatever was told while nobody listened has been missed. */
  readonly onConnected: () => void;
  readonly onError: (error: Error) => void;
}

/** A connection of its own that is told of new records and of changes in groups; comes back by itself when it is lost. */
export class Listener {
  private client: Client | undefined;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  connected = false;

  constructor(private readonly options: ListenerOptions) {}

  /** Resolves after the first attempt, whatever came of it: without it the bus polls. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.running ??= this.run(resolve);
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    const ended = this.client?.end().catch(() => undefined);
    // a server that is gone may never say good-bye
    await withinGrace(Promise.all([ended, this.running]), GRACE_MS);
  }

  private async run(tried: () => void): Promise<void> {
    const { signal } = this.stopping;
    for (let pauseMs = 100; !signal.aborted; pauseMs = Math.min(pauseMs * 2, 5_000)) {
      const lost = Promise.withResolvers<void>();
      try {
        await this.connect(lost.resolve);
        pauseMs = 100;
        this.connected = true;
        this.options.onConnected();
        tried();
        await lost.promise;
      } catch (error) {
        this.options.onError(
          new Error(`no connection to listen on; polling until there is: ${(error as Error).message}`, { cause: error }),
        );
      }
      this.connected = false;
      tried();
      await this.client?.end().catch(() => undefined);
      if (!signal.aborted) await sleep(pauseMs, signal);
    }
  }

  private async connect(lost: () => void): Promise<void> {
    const client = new Client({
      connectionString: this.options.url,
      application_name: 'weir-bus',
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    this.client = client;
    client.on('error', lost);
    client.on('end', lost);
    client.on('notification', ({ channel, payload = '' }) => this.heard(channel, payload));
    await client.connect();
    await client.query('listen weir_bus_ends; listen weir_bus_groups');
    await client.query('select pg_advisory_lock($1)', [this.options.sessionId]);
    if (this.stopping.signal.aborted) await client.end();
  }

  private heard(channel: string, payload: string): void {
    if (channel === 'weir_bus_groups') return this.options.onGroup(payload);
    const [topic, partition, end] = payload.split('/');
    if (topic !== undefined) this.options.onEnd(topic, Number(partition), Number(end));
  }
}

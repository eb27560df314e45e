import { BaseRpcContext, Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import type { Bus, BusRecord, Consumption } from '@weir/bus';
import { isObservable, lastValueFrom } from 'rxjs';
import { readPattern } from './consumes';

/**
 * Nest's message handlers over the bus port: one consumption per group, of all its topics, since members of a Kafka group that differ
 * in their topics would be given each other's; offsets committed after the handler's database has. Nest's own Kafka server acknowledges what failed and loses what has no handler; here the port's loop decides both.
 */
export class BusServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol('weir-bus');
  override readonly propagatesEventHandlerErrors = true;
  private consumptions: Consumption[] = [];

  constructor(private readonly bus: Bus) {
    super();
  }

  listen(done: (error?: unknown) => void): void {
    this.subscribe().then(() => done(), done);
  }

  private async subscribe(): Promise<void> {
    const groups = Map.groupBy(
      [...this.getHandlers()].map(([pattern, handler]) => ({ ...readPattern(pattern), handler })),
      ({ group }) => group,
    );
    this.consumptions = await Promise.all(
      [...groups].map(([group, members]) => {
        const handlers = new Map(members.map(({ topic, handler }) => [topic, handler]));
        const maxBatch = Math.min(...members.map(({ handler }) => (handler.extras?.['maxBatch'] as number | undefined) ?? 1));
        return this.bus.consume({ group, topics: [...handlers.keys()], maxBatch, handle: (batch) => dispatch(handlers, batch) });
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.consumptions.map((consumption) => consumption.stop()));
  }

  /** Records that wait for the consumers of this process. */
  async backlog(): Promise<number> {
    const lags = await Promise.all(this.consumptions.map((consumption) => consumption.lag()));
    return lags.flat().reduce((sum, { lag }) => sum + lag, 0);
  }

  on(): never {
    throw new Error('the bus has no events of its own; see the metrics');
  }

  unwrap<T>(): T {
    return this.bus as T;
  }
}

/** A batch is of one partition, so of one topic. */
async function dispatch(handlers: ReadonlyMap<string, MessageHandler>, batch: readonly BusRecord[]): Promise<void> {
  const handler = handlers.get(batch[0]?.topic ?? '');
  if (handler === undefined) throw new Error(`no handler for ${batch[0]?.topic}`);
  const answer: unknown = await handler(batch, new BaseRpcContext([]));
  if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined });
}

import { BaseRpcContext, Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import type { Bus, BusRecord, Consumption } from '@weir/bus';
import { isObservable, lastValueFrom } from 'rxjs';
import { readPattern } from './consumes';

/**
 * Nest's message handlers over the bus port: one consumption per group and topic, offsets committed after the handler's database
 * has. Nest's own Kafka server acknowledges what failed and loses what has no handler; here the port's loop decides both.
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
    this.consumptions = await Promise.all(
      [...this.getHandlers()].map(([pattern, handler]) => {
        const { group, topic } = readPattern(pattern);
        const maxBatch = (handler.extras?.['maxBatch'] as number | undefined) ?? 1;
        return this.bus.consume({ group, topics: [topic], maxBatch, handle: (batch) => dispatch(handler, batch) });
      }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.consumptions.map((consumption) => consumption.stop()));
  }

  on(): never {
    throw new Error('the bus has no events of its own; see the metrics');
  }

  unwrap<T>(): T {
    return this.bus as T;
  }
}

async function dispatch(handler: MessageHandler, batch: readonly BusRecord[]): Promise<void> {
  const answer: unknown = await handler(batch, new BaseRpcContext([]));
  if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined });
}

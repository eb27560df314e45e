import { BaseRpcContext, Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import type { Bus, BusRecord } from '@weir/bus';
import { sleep } from '@weir/kernel';
import { isObservable, lastValueFrom } from 'rxjs';
import { readPattern } from './consumes';
import { GroupMember } from './group-member';
import type { CheckResult } from './health';

/** A start waits this long for its groups and then goes on: after a kill, Kafka gives a member's place away only when its session is over. */
const JOIN_WITHIN_MS = 1_500;

/**
 * Nest's message handlers over the bus port: one consumption per group, of all its topics, since members of a Kafka group that differ
 * in their topics would be given each other's; offsets committed after the handler's database has. Nest's own Kafka server acknowledges
 * what failed and loses what has no handler; here the port's loop decides both.
 */
export class BusServer extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol('weir-bus');
  override readonly propagatesEventHandlerErrors = true;
  private members: readonly GroupMember[] = [];

  constructor(private readonly bus: Bus) {
    super();
  }

  listen(done: (error?: unknown) => void): void {
    const groups = Map.groupBy(
      [...this.getHandlers()].map(([pattern, handler]) => ({ ...readPattern(pattern), handler })),
      ({ group }) => group,
    );
    this.members = [...groups].map(([group, consumers]) => {
      const handlers = new Map(consumers.map(({ topic, handler }) => [topic, handler]));
      const maxBatch = Math.min(...consumers.map(({ handler }) => (handler.extras?.['maxBatch'] as number | undefined) ?? 1));
      return new GroupMember(this.bus, { group, topics: [...handlers.keys()], maxBatch, handle: (batch) => dispatch(handlers, batch) });
    });
    const joined = Promise.all(this.members.map((member) => member.joined));
    Promise.race([joined, sleep(JOIN_WITHIN_MS)]).then(() => done(), done);
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }

  /** Records that wait for the consumers of this process. */
  async backlog(): Promise<number> {
    const waiting = await Promise.all(this.members.map((member) => member.backlog()));
    return waiting.reduce((sum, count) => sum + count, 0);
  }

  /** For /readyz: requests are served while groups are being joined. */
  check(): CheckResult {
    for (const { group, state } of this.members) if (state instanceof Error) return { state: 'failed', detail: `${group}: ${state.message}` };
    const joining = this.members.filter(({ state }) => state === 'joining').map(({ group }) => group);
    return joining.length === 0 ? { state: 'ok' } : { state: 'degraded', detail: `joining ${joining.join(', ')}` };
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

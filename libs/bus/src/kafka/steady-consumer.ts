import type { Consumer, ConsumerConfig, EachBatchPayload, Kafka } from 'kafkajs';
import { backoff } from '../delivery';
import { withinGrace } from '../grace';
import { RETRY } from './client';

const FIRST_TRIES = 5;

export interface SteadyConsumerOptions {
  readonly kafka: Kafka;
  /** For messages to an operator. */
  readonly name: string;
  /** Names on the cluster. */
  readonly topics: readonly string[];
  /** Asked for with each client. */
  readonly config: () => ConsumerConfig;
  readonly partitionsAtOnce: number;
  readonly onBatch: (payload: EachBatchPayload) => Promise<void>;
  /** Before anything of a new assignment is fetched. */
  readonly onJoin?: (consumer: Consumer, assignment: Readonly<Record<string, readonly number[]>>) => void;
  readonly onRead?: (topic: string, partition: number, lastOffset: string) => void;
  readonly onError: (error: Error) => void;
}

/**
 * A kafkajs consumer that commits nothing by itself and is replaced by a new one when it crashes. kafkajs would restart it after
 * some errors and leave it dead, without a word, after others.
 */
export class SteadyConsumer {
  private readonly stopping = new AbortController();
  private opening: Promise<void> | undefined;
  current: Consumer | undefined;
  /** Pending while a client that was told to leave has not, longer than anyone wanted to wait. */
  left: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: SteadyConsumerOptions) {}

  /** Resolves when the group has been joined. A coordinator that is just being elected or loaded is asked again. */
  async start(): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.open();
      } catch (error) {
        if (tries === FIRST_TRIES || (error as { retriable?: boolean }).retriable === false) throw error;
        await backoff(tries, this.stopping.signal);
      }
    }
  }

  /** What is being handled must have been committed before: kafkajs drops what is committed after this without a word. */
  async stop(graceMs: number): Promise<void> {
    this.stopping.abort();
    this.left = Promise.all([this.opening, this.current?.disconnect()]).catch((error: Error) => this.options.onError(error));
    await withinGrace(this.left, graceMs);
  }

  private async open(): Promise<void> {
    const { kafka, config, topics, partitionsAtOnce, onBatch, onJoin, onRead } = this.options;
    const consumer = kafka.consumer({
      ...config(),
      // an idle broker answers after this; a record comes at once
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      retry: { ...RETRY, restartOnFailure: async () => false },
    });
    const joined = Promise.withResolvers<void>();
    joined.promise.catch(() => undefined);
    let crash: Error | undefined;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      onJoin?.(consumer, payload.memberAssignment);
      joined.resolve();
    });
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) =>
      onRead?.(payload.topic, payload.partition, payload.lastOffset),
    );
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      crash = payload.error;
      joined.reject(crash);
      if (this.current === consumer) this.opening = this.reopen(payload.error);
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: partitionsAtOnce,
        eachBatch: onBatch,
      });
      await joined.promise;
      if (crash !== undefined) throw crash as Error;
    } catch (error) {
      await consumer.disconnect().catch(() => undefined);
      throw error;
    }
    this.current = consumer;
    if (this.stopping.signal.aborted) await consumer.disconnect();
  }

  private async reopen(reason: Error): Promise<void> {
    const { name, onError } = this.options;
    const { signal } = this.stopping;
    this.current = undefined;
    if (signal.aborted) return;
    onError(new Error(`${name}: the consumer crashed and is opened anew: ${reason.message}`, { cause: reason }));
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        // kafkajs waits within each opening as well
        await backoff(Math.min(tries, 3), signal);
        return await this.open();
      } catch (error) {
        if (!signal.aborted)
          onError(new Error(`${name}: the consumer cannot be opened: ${(error as Error).message}`, { cause: error }));
      }
    }
  }
}

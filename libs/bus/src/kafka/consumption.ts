import type { EachBatchPayload, Kafka } from 'kafkajs';
import { Delivery } from '../delivery';
import { withinGrace } from '../grace';
import { partitionName } from '../partition-name';
import type { BusRecord, Consumption, ConsumerSpec, ParkingLot } from '../port';
import type { ReleaseWatch } from '../release-watch';
import { bySubscription } from './assigner';
import { orLostCoordinator } from './errors';
import { Heartbeat } from './heartbeat';
import type { Names } from './names';
import { toBusRecord } from './record';
import { SteadyConsumer } from './steady-consumer';
import type { Topics } from './topics';

const GRACE_MS = 10_000;
const COMMIT_EVERY_MS = 200;
const PARTITIONS_AT_ONCE = 4;

export interface ConsumptionDeps {
  readonly kafka: Kafka;
  readonly topics: Topics;
  readonly names: Names;
  readonly releases: ReleaseWatch;
  readonly parking: ParkingLot | undefined;
  readonly onError: (error: Error) => void;
}

/**
 * A member of a group. The loop is ours: offsets are committed by hand after the handler, a rebalance waits for what is in hand, and
 * stopping drains and commits before the client disconnects.
 */
export class KafkaConsumption implements Consumption {
  private readonly delivery: Delivery;
  private readonly stopping = new AbortController();
  private readonly unwatch: () => void;
  private readonly working = new Map<string, Promise<void>>();
  private readonly consumer: SteadyConsumer;
  private assigned = new Set<string>();
  private isPaused = false;
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly spec: ConsumerSpec,
    private readonly deps: ConsumptionDeps,
  ) {
    this.delivery = new Delivery(spec, deps.parking, deps.onError);
    const { kafka, names, onError } = deps;
    this.consumer = new SteadyConsumer({
      kafka,
      name: spec.group,
      topics: spec.topics.map((topic) => names.onCluster(topic)),
      config: () => ({
        groupId: names.onCluster(spec.group),
        partitionAssigners: [bySubscription],
        // how long a member that died is waited for: the least that brokers allow by default
        sessionTimeout: 6_000,
        rebalanceTimeout: 60_000,
        heartbeatInterval: 500,
      }),
      partitionsAtOnce: PARTITIONS_AT_ONCE,
      onBatch: (payload) => this.onBatch(payload),
      onJoin: (consumer, assignment) => {
        const partitions = Object.entries(assignment).flatMap(([topic, ids]) =>
          ids.map((id) => partitionName(names.ours(topic), id)),
        );
        this.assigned = new Set(partitions);
        if (this.isPaused) consumer.pause(this.subscribed);
      },
      onError,
    });
    this.unwatch = deps.releases.watch(spec.group, (topic, partition) => this.replay(topic, partition));
  }

  /** Resolves when the group has been joined. */
  async start(): Promise<void> {
    try {
      await this.consumer.start();
    } catch (error) {
      this.unwatch();
      throw error;
    }
  }

  stop(graceMs = GRACE_MS): Promise<void> {
    this.stopped ??= this.leave(graceMs);
    return this.stopped;
  }

  pause(): void {
    this.isPaused = true;
    this.consumer.current?.pause(this.subscribed);
  }

  resume(): void {
    this.isPaused = false;
    this.consumer.current?.resume(this.subscribed);
  }

  /** Resolves when the client has gone, which may be after stop(). */
  async gone(): Promise<void> {
    await this.consumer.left;
  }

  private get subscribed(): { topic: string }[] {
    return this.spec.topics.map((topic) => ({ topic: this.deps.names.onCluster(topic) }));
  }

  lag(): Promise<Array<{ topic: string; partition: number; lag: number }>> {
    return this.deps.topics.lag(this.spec.group, this.spec.topics);
  }

  private async leave(graceMs: number): Promise<void> {
    const until = performance.now() + graceMs;
    this.unwatch();
    this.stopping.abort();
    await withinGrace(Promise.allSettled([...this.working.values()]), graceMs);
    await this.consumer.stop(Math.max(0, until - performance.now()));
  }

  private replay(topic: string, partition: number): void {
    const { signal } = this.stopping;
    const name = partitionName(topic, partition);
    if (!this.assigned.has(name) || this.isPaused || signal.aborted) return;
    void this.serially(name, () => this.delivery.replayReleased(topic, partition, signal)).catch(
      (error: Error) => signal.aborted || this.deps.onError(error),
    );
  }

  private async onBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, heartbeat } = payload;
    const beating = new Heartbeat(heartbeat);
    try {
      await this.serially(partitionName(this.deps.names.ours(batch.topic), batch.partition), () =>
        this.deliver(payload, beating),
      );
      // after the commit: the client joins the group anew when it hears of a rebalance
      if (beating.trouble !== undefined) throw beating.trouble;
    } catch (error) {
      throw orLostCoordinator(error as Error);
    } finally {
      beating.stop();
    }
  }

  private async deliver(
    { batch, resolveOffset, commitOffsetsIfNecessary, isRunning, isStale }: EachBatchPayload,
    beating: Heartbeat,
  ): Promise<void> {
    const maxBatch = this.spec.maxBatch ?? 500;
    const topic = this.deps.names.ours(batch.topic);
    const commit = (offset: string) =>
      commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset }] }] });
    const goOn = () =>
      !this.stopping.signal.aborted && !this.isPaused && beating.trouble === undefined && isRunning() && !isStale();

    let handled: string | undefined;
    let committedAt = performance.now();
    for (let first = 0; first < batch.messages.length && goOn(); first += maxBatch) {
      const messages = batch.messages.slice(first, first + maxBatch);
      const records = messages.map((message) => toBusRecord(topic, batch.partition, message));
      // given up because we stop: what was not handled is not committed and comes again
      if (!(await this.delivered(records))) break;
      const last = messages.at(-1)?.offset ?? batch.lastOffset();
      resolveOffset(last);
      handled = (BigInt(last) + 1n).toString();
      if (performance.now() - committedAt < COMMIT_EVERY_MS) continue;
      await commit(handled);
      handled = undefined;
      committedAt = performance.now();
    }
    if (handled !== undefined) await commit(handled);
  }

  private async delivered(records: readonly BusRecord[]): Promise<boolean> {
    const { signal } = this.stopping;
    try {
      await this.delivery.deliver(records, signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }

  /** One thing at a time per partition: a batch, or the replay of what was released. */
  private serially(name: string, work: () => Promise<void>): Promise<void> {
    const run = (this.working.get(name) ?? Promise.resolve()).then(work);
    const settled: Promise<void> = run
      .catch(() => undefined)
      .then(() => {
        if (this.working.get(name) === settled) this.working.delete(name);
      });
    this.working.set(name, settled);
    return run;
  }
}

import { isTransient, sleep } from '@weir/kernel';
import type { BusRecord, ConsumerSpec, ParkingLot } from './port';

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
const REPLAY_PAGE = 100;

/**
 * What both adapters do with a batch: hand it over; on trouble that passes, again with backoff for as long as it takes; on a
 * message that is bad, find it record by record, park its key and go on with the others.
 */
export class Delivery {
  constructor(
    private readonly spec: ConsumerSpec,
    private readonly parking: ParkingLot | undefined,
    private readonly onError: (error: Error) => void,
  ) {}

  /** Takes records of one partition. Resolves when each was handled or parked; rejects only when `signal` ends the waiting. */
  async deliver(batch: readonly BusRecord[], signal: AbortSignal): Promise<void> {
    const parked = await this.parkedKeys(batch, signal);
    for (const record of batch) if (parked.has(record.key)) await this.park(record, FOLLOWS, signal);

    const flowing = batch.filter((record) => !parked.has(record.key));
    if (flowing.length === 0) return;
    const error = await this.attempt(flowing, signal);
    if (error === undefined) return;
    for (const record of flowing) {
      if (parked.has(record.key)) await this.park(record, FOLLOWS, signal);
      else if (!(await this.deliverOne(record, flowing.length === 1 ? error : undefined, signal))) parked.add(record.key);
    }
  }

  /** Hands over what an operator released of a partition, in order; a key that fails again is parked again, whole. */
  async replayReleased(topic: string, partition: number, signal: AbortSignal): Promise<void> {
    const { parking, spec } = this;
    if (parking === undefined) return;
    for (let more = true; more;) {
      const entries = await this.insist(() => parking.released(spec.group, topic, partition), signal);
      const parkedAgain = new Set<string>();
      for (const { record, done, failed } of entries) {
        if (parkedAgain.has(record.key)) continue;
        const error = await this.attempt([record], signal);
        if (error === undefined) {
          await this.insist(done, signal);
        } else {
          this.onError(new Error(`${spec.group}: parked again ${at(record)}: ${error.message}`, { cause: error }));
          parkedAgain.add(record.key);
          await this.insist(() => failed(error), signal);
        }
      }
      more = entries.length === REPLAY_PAGE;
    }
  }

  /** false when the record was parked. */
  private async deliverOne(record: BusRecord, firstError: Error | undefined, signal: AbortSignal): Promise<boolean> {
    let error = firstError ?? (await this.attempt([record], signal));
    for (let tries = 1; error !== undefined; tries++) {
      if (this.parking !== undefined && tries >= (this.spec.maxTries ?? 3)) {
        this.onError(new Error(`${this.spec.group}: parked ${at(record)}: ${error.message}`, { cause: error }));
        await this.park(record, error, signal);
        return false;
      }
      await backoff(tries, signal);
      error = await this.attempt([record], signal);
    }
    return true;
  }

  /** The error that will not pass, if there is one. */
  private async attempt(batch: readonly BusRecord[], signal: AbortSignal): Promise<Error | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        await this.spec.handle(batch);
        return undefined;
      } catch (error) {
        if (!isTransient(error)) return error as Error;
        this.onError(new Error(`${this.spec.group}: trying again: ${(error as Error).message}`, { cause: error }));
        await backoff(tries, signal);
      }
    }
  }

  private async parkedKeys(batch: readonly BusRecord[], signal: AbortSignal): Promise<Set<string>> {
    const { parking, spec } = this;
    const topic = batch[0]?.topic;
    if (parking === undefined || topic === undefined) return new Set();
    const keys = [...new Set(batch.map((record) => record.key))];
    return new Set(await this.insist(() => parking.parkedAmong(spec.group, topic, keys), signal));
  }

  private async park(record: BusRecord, reason: Error, signal: AbortSignal): Promise<void> {
    await this.insist(async () => this.parking?.park(this.spec.group, record, reason), signal);
  }

  /** Asks the parking lot until it answers: going on without it would break the order of a parked key. */
  private async insist<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await ask();
      } catch (error) {
        this.onError(
          new Error(`${this.spec.group}: the parking lot does not answer: ${(error as Error).message}`, { cause: error }),
        );
        await backoff(tries, signal);
      }
    }
  }
}

const FOLLOWS = new Error('an earlier message of this key is parked');
const at = (record: BusRecord) => `${record.topic}/${record.partition}@${record.offset}`;

/** Waits about 100 ms, doubling, with full jitter over the upper half. @throws Error when `signal` ends the waiting */
export async function backoff(tries: number, signal: AbortSignal): Promise<void> {
  const ceiling = Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(tries - 1, 16), LONGEST_BACKOFF_MS);
  await sleep(ceiling / 2 + (Math.random() * ceiling) / 2, signal);
  if (signal.aborted) throw new Error('stopped while waiting to try again');
}

import { isTransient, sleep } from '@weir/kernel';
import type { BusRecord, ConsumerSpec, ParkingLot } from './port';

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;

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

  /** Resolves when every record was handled or parked; rejects only when `signal` ends the waiting. */
  async deliver(batch: readonly BusRecord[], signal: AbortSignal): Promise<void> {
    const flowing = await this.withoutParkedKeys(batch);
    if (flowing.length === 0) return;
    const error = await this.tryAll(flowing, signal);
    if (error === undefined) return;
    for (const record of flowing) await this.deliverOne(record, signal);
  }

  /** Hands over what an operator released, in order; a key that fails again is parked again. */
  async replayReleased(signal: AbortSignal): Promise<void> {
    for (const entry of (await this.parking?.released(this.spec.group)) ?? []) {
      const error = await this.tryAll([entry.record], signal);
      if (error === undefined) await entry.done();
      else await entry.failed(error);
    }
  }

  private async deliverOne(record: BusRecord, signal: AbortSignal): Promise<void> {
    if ((await this.withoutParkedKeys([record])).length === 0) return;
    const tries = this.spec.maxTries ?? 3;
    for (let attempt = 1; ; attempt++) {
      const error = await this.tryAll([record], signal);
      if (error === undefined) return;
      if (attempt >= tries && this.parking !== undefined) {
        this.onError(new Error(`${this.spec.group}: parked ${record.topic}/${record.partition}@${record.offset}: ${error.message}`, { cause: error }));
        await this.parking.park(this.spec.group, record, error);
        return;
      }
      await backoff(attempt, signal);
    }
  }

  /** The error that will not pass, if there is one. */
  private async tryAll(batch: readonly BusRecord[], signal: AbortSignal): Promise<Error | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.spec.handle(batch);
        return undefined;
      } catch (error) {
        if (!isTransient(error)) return error as Error;
        this.onError(new Error(`${this.spec.group}: trying again: ${(error as Error).message}`, { cause: error }));
        await backoff(attempt, signal);
      }
    }
  }

  private async withoutParkedKeys(batch: readonly BusRecord[]): Promise<BusRecord[]> {
    if (this.parking === undefined) return [...batch];
    const flowing: BusRecord[] = [];
    const parked = new Map<string, boolean>();
    for (const record of batch) {
      const known = parked.get(record.key) ?? (await this.parking.isParked(this.spec.group, record.topic, record.key));
      parked.set(record.key, known);
      if (known) await this.parking.park(this.spec.group, record, new Error('an earlier message of this key is parked'));
      else flowing.push(record);
    }
    return flowing;
  }
}

async function backoff(attempt: number, signal: AbortSignal): Promise<void> {
  const ceiling = Math.min(FIRST_BACKOFF_MS * 2 ** (attempt - 1), LONGEST_BACKOFF_MS);
  await sleep(ceiling / 2 + (Math.random() * ceiling) / 2, signal);
  if (signal.aborted) throw new Error('stopped while waiting to try again');
}

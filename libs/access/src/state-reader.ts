import type { Bus, Following } from '@weir/bus';
import type { Contract } from '@weir/contracts';
import { AppError, type Clock } from '@weir/kernel';
import type { z } from 'zod';
import { StateTable } from './state-table';

export interface StateReaderOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly onError: (error: Error) => void;
  /** Past this age a table is not to be trusted: suspensions and revocations travel through it. Default 120 s. */
  readonly staleAfterMs?: number;
}

/** All the state tables of a process, read by one reader without a group. */
export class StateReader {
  private readonly tables = new Map<string, StateTable<unknown>>();
  private following: Following | undefined;
  private housekeeping: NodeJS.Timeout | undefined;
  private readonly staleAfterMs: number;
  private caughtUpOnce = false;

  constructor(private readonly options: StateReaderOptions) {
    this.staleAfterMs = options.staleAfterMs ?? 120_000;
  }

  /** The table of a state contract; asked for before `start`, the same for everyone who asks. */
  table<S extends z.ZodType>(contract: Contract<string, S>): StateTable<z.infer<S>> {
    const known = this.tables.get(contract.topic);
    if (known !== undefined) return known as StateTable<z.infer<S>>;
    if (this.following !== undefined) throw new Error(`the table of ${contract.topic} must be asked for before the reader starts`);
    const table = new StateTable<z.infer<S>>(contract.topic, (json) => contract.schema.parse(json));
    this.tables.set(contract.topic, table as StateTable<unknown>);
    return table;
  }

  async start(): Promise<void> {
    const { bus, clock, onError } = this.options;
    this.following = await bus.follow({
      topics: [...this.tables.keys()],
      apply: (record) => {
        try {
          this.tables.get(record.topic)?.apply(record, clock());
        } catch (error) {
          onError(new Error(`a record of ${record.topic} with key ${record.key} cannot be read; nothing stands under that key until one comes that can`, { cause: error }));
        }
      },
    });
    void this.following.caughtUp().then(
      () => (this.caughtUpOnce = true),
      (error: Error) => onError(error),
    );
    this.housekeeping = setInterval(() => {
      for (const table of this.tables.values()) table.dropOldTombstones(clock());
    }, 600_000).unref();
  }

  caughtUp(): Promise<void> {
    return this.following?.caughtUp() ?? Promise.reject(new Error('the state reader has not been started'));
  }

  get ready(): boolean {
    return this.caughtUpOnce;
  }

  ageMs(): number {
    return this.following?.ageMs() ?? Infinity;
  }

  get stale(): boolean {
    return !this.caughtUpOnce || this.ageMs() > this.staleAfterMs;
  }

  /** @throws AppError `stale-state` (503) when the tables are older than their bound */
  assertFresh(): void {
    if (this.stale) throw staleState('Weir has not heard of changes for too long to decide on this call. Try again shortly.');
  }

  async stop(): Promise<void> {
    clearInterval(this.housekeeping);
    await this.following?.stop();
  }
}

export const staleState = (message: string): AppError => new AppError('stale-state', 'unavailable', message, { retryAfter: 1 });

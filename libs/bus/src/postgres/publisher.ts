import type { Pool } from 'pg';
import { AppError } from '@weir/kernel';
import { badRecord, busUnavailable, unknownTopic } from '../errors';
import type { OutgoingRecord } from '../port';

const MOST_RECORDS = 2_000;

interface Call {
  readonly records: readonly OutgoingRecord[];
  resolve(): void;
  reject(error: Error): void;
}

/**
 * One statement in flight; what is published meanwhile rides with the next. That keeps the order of calls, and a commit is shared
 * by all that waited for it.
 */
export class Publisher {
  private queue: Call[] = [];
  private running: Promise<void> | undefined;

  constructor(private readonly pool: Pool) {}

  publish(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.queue.push({ records, resolve, reject });
      this.running ??= this.run();
    });
  }

  /** Resolves when everything published so far has been answered. */
  async drained(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0) {
      const calls = this.take();
      const error = await this.insert(calls.flatMap((call) => call.records));
      if (error === undefined) for (const call of calls) call.resolve();
      else if (calls.length === 1 || error.category === 'unavailable') for (const call of calls) call.reject(error);
      else await this.separately(calls);
    }
    // here and not in a `finally`: who publishes before that one ran would wait for ever
    this.running = undefined;
  }

  // one of them is bad: the others must not pay for it
  private async separately(calls: readonly Call[]): Promise<void> {
    for (const call of calls) {
      const error = await this.insert(call.records);
      if (error === undefined) call.resolve();
      else call.reject(error);
    }
  }

  private take(): Call[] {
    let records = 0;
    const end = this.queue.findIndex((call, index) => (records += call.records.length) > MOST_RECORDS && index > 0);
    return this.queue.splice(0, end === -1 ? this.queue.length : end);
  }

  private async insert(records: readonly OutgoingRecord[]): Promise<AppError | undefined> {
    try {
      await this.pool.query('select weir_bus.publish($1::text[], $2::text[], $3::bytea[], $4::jsonb[])', [
        records.map((record) => record.topic),
        records.map((record) => record.key),
        records.map((record) => record.value),
        records.map((record) => JSON.stringify(record.headers)),
      ]);
      return undefined;
    } catch (error) {
      return toAppError(error);
    }
  }
}

function toAppError(error: unknown): AppError {
  const { code = '', message } = error as { code?: string; message: string };
  if (code === 'WRB04') return unknownTopic(message.replace(/^unknown topic /, ''));
  return /^(22|54)/.test(code) ? badRecord(error) : busUnavailable(error);
}

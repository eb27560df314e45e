import type { Message } from 'kafkajs';

const MOST_MESSAGES = 2_000;
// a broker takes batches of 1 MiB by default
const MOST_BYTES = 800_000;

/** A publish() call: settled when each of its messages is. */
export class Call {
  private readonly settled = Promise.withResolvers<void>();
  readonly done = this.settled.promise;
  failed = false;

  constructor(private pending: number) {}

  acknowledged(): void {
    if (--this.pending === 0) this.settled.resolve();
  }

  fail(error: Error): void {
    this.failed = true;
    this.settled.reject(error);
  }
}

interface Entry {
  readonly message: Message;
  readonly call: Call;
}

/**
 * A partition's way to the broker: one batch in flight, what is published meanwhile rides with the next. No timer: an idle lane
 * sends at once, a busy one in large batches.
 */
export class Lane {
  private queue: Entry[] = [];
  private running: Promise<void> | undefined;

  constructor(private readonly send: (messages: Message[]) => Promise<void>) {}

  add(message: Message, call: Call): void {
    this.queue.push({ message, call });
    this.running ??= Promise.resolve().then(() => this.run());
  }

  async drained(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    while (this.queue.length > 0) {
      const entries = this.take();
      if (entries.length === 0) continue;
      try {
        await this.send(entries.map((entry) => entry.message));
        for (const { call } of entries) call.acknowledged();
      } catch (error) {
        for (const { call } of entries) call.fail(error as Error);
      }
    }
    // here and not in a `finally`: who publishes before that one ran would wait for ever
    this.running = undefined;
  }

  // What follows in a call that has failed is not sent: its caller will send all of it again, in order.
  private take(): Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    let taken = 0;
    for (const entry of this.queue) {
      if (!entry.call.failed) {
        bytes += sizeOf(entry.message);
        if (entries.length === MOST_MESSAGES || (bytes > MOST_BYTES && entries.length > 0)) break;
        entries.push(entry);
      }
      taken++;
    }
    this.queue.splice(0, taken);
    return entries;
  }
}

function sizeOf({ key, value, headers }: Message): number {
  let size = 32 + (key?.length ?? 0) + (value?.length ?? 0);
  // no Object.entries: an array for each of a record's seventeen headers would cost more than the counting
  for (const name in headers) size += 4 + name.length + (headers[name]?.length ?? 0);
  return size;
}

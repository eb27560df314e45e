import type { Bus, OutgoingRecord } from '@weir/bus';
import { sleep } from '@weir/kernel';
import { notAccountable } from '../errors';
import { Deadlines, type Deadline } from '../upstream/deadlines';

export interface JournalOptions {
  readonly bus: Pick<Bus, 'publish'>;
  /** How long the bus may take to acknowledge a hold. */
  readonly holdTimeoutMs: number;
  /** Records waiting at most; past them nothing new is put on the record. */
  readonly backlog: number;
  readonly onError: (error: Error) => void;
}

/** The way to the bus: what a call waits for, and what may follow it. */
export interface Journal {
  /**
   * Resolves when the bus has the record.
   *
   * @param otherwise what is written later where the record may have arrived although this rejects
   * @throws AppError `not-accountable` (503) within `holdTimeoutMs`
   */
  hold(record: OutgoingRecord, otherwise: () => OutgoingRecord): Promise<void>;
  /**
   * As `write`; resolves with true when the bus has it, and with false after `holdTimeoutMs`: it is tried further. For what is
   * better on the record before the answer leaves.
   */
  recorded(record: OutgoingRecord): Promise<boolean>;
  /** Never waits; tried until the bus takes it, in the order given. */
  write(record: OutgoingRecord): void;
  /** @throws AppError `not-accountable` (503) while the bus takes nothing or too much is waiting: nothing is served unmetered */
  assertAccountable(): void;
  readonly waiting: number;
  /** Whether the last publish failed. */
  readonly away: boolean;
  /** Resolves when everything written is on the bus, or after the grace; says how many records are left. */
  drain(graceMs: number): Promise<number>;
}

interface Held {
  readonly record: OutgoingRecord;
  readonly otherwise: () => OutgoingRecord;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Its call was refused before the bus has answered. */
  late: boolean;
  deadline: Deadline<Held> | undefined;
}

interface Written {
  readonly record: OutgoingRecord;
  readonly done: (() => void) | undefined;
}

const BATCH = 500;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** Holds wait for the bus, not for each other: so many publishes of them are on their way at once. */
const MOST_PUBLISHING = 4;
/** For what nobody waits: fewer and larger publishes cost the bus and us less. */
const LINGER_MS = 5;

/**
 * Groups what one turn of the event loop brings, and what comes while the bus is busy, without a timer: alone a hold waits for nothing, under
 * load a publish carries hundreds.
 */
export function createJournal({ bus, holdTimeoutMs, backlog, onError }: JournalOptions): Journal {
  const held: Held[] = [];
  let publishing = 0;
  let scheduled = false;
  let lingering: AbortController | undefined;
  let written: Written[] = [];
  let writing: Promise<void> | undefined;
  let away = false;

  function flushHeld(): void {
    scheduled = false;
    while (held.length > 0 && publishing < MOST_PUBLISHING) void publishHeld(held.splice(0, BATCH));
  }

  async function publishHeld(batch: readonly Held[]): Promise<void> {
    publishing++;
    const error = await bus.publish(batch.map(({ record }) => record)).then(
      () => undefined,
      (cause: Error) => cause,
    );
    publishing--;
    for (const entry of batch) published(entry, error);
    flushHeld();
  }

  function published({ deadline, late, otherwise, resolve, reject }: Held, error: Error | undefined): void {
    if (deadline !== undefined) deadlines.end(deadline);
    // late or failed, the hold may stand on the bus: nothing was sent under it
    if (late || error !== undefined) journal.write(otherwise());
    if (error === undefined) resolve();
    else reject(notAccountable(error));
  }

  const deadlines = new Deadlines<Held>(holdTimeoutMs, (entry) => {
    const at = held.indexOf(entry);
    if (at >= 0) held.splice(at, 1);
    else entry.late = true;
    entry.reject(notAccountable());
  });

  async function publishWritten(): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; written.length > 0;) {
      const batch = written.slice(0, BATCH);
      try {
        await bus.publish(batch.map(({ record }) => record));
        written = written.slice(batch.length);
        pauseMs = FIRST_PAUSE_MS;
        away = false;
        for (const { done } of batch) done?.();
        if (written.length < BATCH) await linger();
      } catch (error) {
        if (!away) onError(new Error('the bus takes no usage records; they wait in memory', { cause: error }));
        away = true;
        await sleep(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
    writing = undefined;
  }

  async function linger(): Promise<void> {
    lingering = new AbortController();
    await sleep(LINGER_MS, lingering.signal);
    lingering = undefined;
  }

  function push(entry: Written): void {
    written.push(entry);
    writing ??= publishWritten();
  }

  const journal: Journal = {
    hold: (record, otherwise) =>
      new Promise((resolve, reject) => {
        const entry: Held = { record, otherwise, resolve, reject, late: false, deadline: undefined };
        entry.deadline = deadlines.begin(entry);
        held.push(entry);
        if (scheduled) return;
        scheduled = true;
        setImmediate(flushHeld);
      }),
    write: (record) => push({ record, done: undefined }),
    recorded: (record) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(false), holdTimeoutMs);
        push({
          record,
          done: () => {
            clearTimeout(timer);
            resolve(true);
          },
        });
        lingering?.abort();
      }),
    assertAccountable() {
      if (away || written.length >= backlog) throw notAccountable();
    },
    get waiting() {
      return held.length + written.length;
    },
    get away() {
      return away;
    },
    async drain(graceMs) {
      const over = new AbortController();
      lingering?.abort();
      await Promise.race([writing, sleep(graceMs, over.signal)]);
      over.abort();
      return written.length;
    },
  };
  return journal;
}

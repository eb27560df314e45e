import type { Bus, OutgoingRecord } from '@weir/bus';
import { sleep, within } from '@weir/kernel';
import type { Backlog } from './backlog';

export interface BackloggedOptions {
  readonly bus: Pick<Bus, 'publish'>;
  readonly backlog: Backlog;
  /** How long the bus may take before records go to the disk instead. */
  readonly patienceMs: number;
  readonly onError: (error: Error) => void;
}

/** The bus, and behind it the disk: a record is accounted for once either has it. */
export interface BackloggedBus extends Pick<Bus, 'publish'> {
  /** Whether records go to the disk now. */
  readonly away: boolean;
  readonly bytes: number;
  /** What is not delivered stays for the next start. */
  close(): Promise<void>;
}

const BATCH = 500;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const STOP_MS = 1_000;

/**
 * While the bus takes records they go straight to it. When it does not, they go to the backlog, and all that follow after them, so that
 * their order stays; a loop delivers the backlog, oldest first, and once it is empty the way is straight again.
 */
export function backlogged({ bus, backlog, patienceMs, onError }: BackloggedOptions): BackloggedBus {
  const stopping = new AbortController();
  let away = backlog.bytes > 0;
  let delivering: Promise<void> | undefined;
  if (away) deliver();

  function deliver(): void {
    delivering ??= deliverAll().finally(() => (delivering = undefined));
  }

  async function deliverAll(): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; !stopping.signal.aborted;) {
      try {
        const oldest = await backlog.oldest();
        if (oldest === undefined) {
          // nothing was appended since: the way is straight again before anybody else runs
          away = false;
          return;
        }
        for (let i = 0; i < oldest.records.length; i += BATCH) await bus.publish(oldest.records.slice(i, i + BATCH));
        if (!stopping.signal.aborted) await oldest.done();
        pauseMs = FIRST_PAUSE_MS;
      } catch {
        await sleep(pauseMs, stopping.signal);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  async function keep(records: readonly OutgoingRecord[]): Promise<void> {
    await backlog.append(records);
    deliver();
  }

  return {
    async publish(records) {
      if (away) return keep(records);
      try {
        await within(patienceMs, bus.publish(records));
      } catch (error) {
        if (!away) onError(new Error('the bus takes no usage records; they go to the backlog on the disk', { cause: error }));
        away = true;
        return keep(records);
      }
    },
    get away() {
      return away;
    },
    get bytes() {
      return backlog.bytes;
    },
    async close() {
      stopping.abort();
      // a publish that hangs is not waited for: its records are still on the disk
      await Promise.race([delivering, sleep(STOP_MS)]);
      await backlog.close();
    },
  };
}

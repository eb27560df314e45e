import { newUuid, sleep, type CommandContext } from '@weir/kernel';
import type { FetchJobLog } from './fetch-job.log';
import type { TurnEnd } from './job-runner';
import type { JobTurns, Turn } from './job-turns';

export interface WorkersParts {
  readonly turns: JobTurns;
  readonly run: (turn: Turn, signal: AbortSignal) => Promise<TurnEnd>;
  readonly log: FetchJobLog;
  readonly callsLeft: (turn: Turn) => Promise<number>;
  /** Jobs at once. */
  readonly atOnce: number;
  readonly leaseMs: number;
  readonly everyMs: number;
  readonly contextOf: (job: Turn, action: string) => CommandContext;
  readonly onError: (error: Error) => void;
}

/** After trouble that is not the job's: the database away, say. */
const AGAIN_MS = 5_000;

/** Looks for jobs whose turn it is, and holds as many as it may. Its turns go back when it stops, and are taken up at once elsewhere. */
export function startJobWorkers(parts: WorkersParts): { stop(): Promise<void> } {
  const { turns, atOnce, everyMs, onError } = parts;
  const stopping = new AbortController();
  const lease = newUuid();
  const held = new Map<string, Promise<void>>();
  const looking = look();
  return {
    stop: async () => {
      stopping.abort();
      await looking;
      await Promise.all(held.values());
    },
  };

  async function look(): Promise<void> {
    while (!stopping.signal.aborted) {
      const taken = held.size < atOnce ? await turns.take(lease, atOnce - held.size, [...held.keys()]).catch((error: Error) => (onError(error), [])) : [];
      for (const turn of taken) {
        const holding = hold(turn).catch((error: Error) => onError(error));
        held.set(turn.jobId, holding);
        void holding.then(() => held.delete(turn.jobId));
      }
      if (taken.length === 0) await sleep(everyMs, stopping.signal);
    }
  }

  async function hold(turn: Turn): Promise<void> {
    if (turn.ended) {
      await parts.log.deleteResults(turn.tenantId, turn.jobId, parts.contextOf(turn, 'fetch-job-expiry'));
      return;
    }
    const lost = new AbortController();
    const over = new AbortController();
    const keeping = keep(turn, lost, over.signal);
    const end = await parts.run(turn, AbortSignal.any([stopping.signal, lost.signal])).catch((error: Error): TurnEnd => {
      onError(error);
      return { is: 'rests', until: Date.now() + AGAIN_MS };
    });
    over.abort();
    await keeping;
    if (end.is === 'rests' && !lost.signal.aborted) await turns.rest(turn, lease, end.until);
  }

  /** Renews a third of the way through, so that one failure is not the loss of it. */
  async function keep(turn: Turn, lost: AbortController, over: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(parts.leaseMs / 3, over);
      if (over.aborted) return;
      try {
        if (!(await turns.renew(turn, lease, await parts.callsLeft(turn)))) return lost.abort();
      } catch (error) {
        onError(error as Error);
      }
    }
  }
}

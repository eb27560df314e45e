import { isTransient, newId, sleep, type Clock, type CommandContext } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { destroyDrained, waitsForCheck, worthLookingAt } from '../upstream-key/upstream-key';
import type { CreditWatch } from '../platform-pool/credit-watch';
import type { RefusalStorm } from '../upstream-key/refusal-storm';
import type { UpstreamKeyLog } from '../upstream-key/upstream-key.log';
import type { UpstreamKeyService } from '../upstream-key/upstream-key.service';
import { drained, forgetOldSignals, takeRechecks, type DueKey } from './due-keys';

export interface KeyJobsOptions {
  readonly log: UpstreamKeyLog;
  readonly keys: UpstreamKeyService;
  readonly work: UnitOfWork;
  readonly clock: Clock;
  readonly storm: RefusalStorm;
  readonly credits: CreditWatch;
  readonly balanceEveryMs: number;
  readonly context: () => CommandContext;
  /** Hands in the platform's first keys; answers how many. */
  readonly seed: () => Promise<number>;
  readonly everyMs: number;
  readonly recheckMs: number;
  readonly onError: (error: Error) => void;
}

const HOUR_MS = 3_600_000;

/** What has to be done without anyone asking: destroy versions that have drained, try keys that wait for a check. */
export function startKeyJobs(options: KeyJobsOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const loops = [
    every(options.everyMs, () => destroyAll(options), options, stopping.signal),
    every(options.everyMs, () => recheckAll(options), options, stopping.signal),
    seeding(options, stopping.signal),
    every(options.balanceEveryMs, () => options.credits.look(options.context), options, stopping.signal),
    every(HOUR_MS, () => forgetOldSignals(options.work), options, stopping.signal),
    every(HOUR_MS, () => options.storm.forgetOld(), options, stopping.signal),
  ];
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(loops);
    },
  };
}

/** A look that fails is told and made again: what is due stays due. */
async function every(ms: number, look: () => Promise<void>, { onError }: KeyJobsOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await look().catch((error: Error) => onError(error));
    await sleep(ms, signal);
  }
}

const SEED_AGAIN_MS = { first: 5_000, longest: 300_000 };

/** Until it was possible once: at the first boot Secrets Manager, the bus or the upstream may come up later than the vault. */
async function seeding({ seed, onError }: KeyJobsOptions, signal: AbortSignal): Promise<void> {
  for (let wait = SEED_AGAIN_MS.first; !signal.aborted; wait = Math.min(2 * wait, SEED_AGAIN_MS.longest)) {
    try {
      await seed();
      return;
    } catch (error) {
      onError(error as Error);
      if (!isTransient(error)) return;
      await sleep(wait, signal);
    }
  }
}

async function destroyAll({ work, log, clock, onError }: KeyJobsOptions): Promise<void> {
  const at = clock();
  await each(await drained(work, at, onError), onError, async (due) => {
    await log.decide({ ...due, decide: destroyDrained({ at }), context: contextOf('key-drain', due, at) });
  });
}

async function recheckAll({ work, log, keys, clock, recheckMs, onError }: KeyJobsOptions): Promise<void> {
  await each(await takeRechecks(work, recheckMs, onError), onError, async (due) => {
    const { state } = await log.load(due.owner, due.keyId);
    const version = waitsForCheck(state) ?? worthLookingAt(state);
    if (version !== undefined) await keys.judge(due.owner, due.keyId, version, contextOf('key-recheck', due, clock()));
  });
}

/** One key's trouble is not the next one's. */
async function each(
  due: readonly DueKey[],
  onError: (error: Error) => void,
  work: (key: DueKey) => Promise<void>,
): Promise<void> {
  for (const key of due) await work(key).catch((error: Error) => onError(error));
}

const contextOf = (job: string, { keyId, entry }: DueKey, at: number): CommandContext => ({
  actor: { type: 'service', id: 'key-vault' },
  commandId: `${job}/${keyId}/${entry}`,
  at,
  action: job,
  requestId: newId('req', at),
});

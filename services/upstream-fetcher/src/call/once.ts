import { createHash } from 'node:crypto';
import type { OutgoingRecord } from '@weir/bus';
import type { Clock } from '@weir/kernel';
import type { Journal } from '../usage/journal';
import { usageRecord } from '../usage/records';
import type { Usage } from '@weir/contracts';
import type { Answer } from './answer';
import type { AdmittedCall, Charge } from './context';
import type { Claim, Replay, Replays } from './replays';

/** Larger answers are given once. */
const LARGEST_BYTES = 65_536;
const LONGEST_WAIT_MS = 30_000;

export interface OnceParts {
  readonly replays: Replays;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Who a body is about, as erasure names them. */
  readonly subjectsOf: (call: AdmittedCall, body: Buffer) => Promise<readonly string[]>;
  readonly onError: (error: Error) => void;
}

/** Under an Idempotency-Key a call is made and charged once: each retry has the answer of the first. */
export interface Once {
  /**
   * @param key as the client sent it
   * @param make the call; what it charges is in `call.charges`
   * @throws AppError `idempotency-key-reused`, `idempotency-not-replayable`, `idempotency-in-progress`, and what `make` throws
   */
  (call: AdmittedCall, key: string, make: () => Promise<Answer>): Promise<{ readonly answer: Answer } | { readonly replay: Replay }>;
}

/**
 * The charge follows the answer that is kept, never the other way round: whatever dies between upstream and database leaves a hold that
 * becomes unsettled, which no tenant pays, and a retry that makes the call again and is the one that is charged.
 */
export function createOnce({ replays, journal, clock, subjectsOf, onError }: OnceParts): Once {
  return async function once(call, key, make) {
    const claim: Claim = {
      tenant: call.tenant.id,
      key: `${call.mode}/${key}`,
      requestHash: createHash('sha256').update(`${call.endpoint.id}?${call.query}`).digest('hex'),
      requestId: call.requestId,
    };
    const claimed = await replays.claim(claim, Math.min(call.deadline, clock() + LONGEST_WAIT_MS));
    if (claimed.is === 'replay') {
      publish(claim, claimed.unpublished.map((text) => usageRecord(JSON.parse(text) as Usage)));
      return { replay: claimed.replay };
    }

    const charges: Charge[] = (call.charges = []);
    const renewed = replays.renewing(claim, onError);
    try {
      const answer = await make();
      await keep(call, claim, answer, charges);
      return { answer };
    } catch (error) {
      for (const { free } of charges.splice(0)) journal.write(usageRecord(free));
      replays.giveUp(claim).catch(onError);
      throw error;
    } finally {
      renewed();
    }
  };

  async function keep(call: AdmittedCall, claim: Claim, answer: Answer, charges: Charge[]): Promise<void> {
    const mayKeep = call.endpoint.lifetimeSeconds > 0 && answer.body.length <= LARGEST_BYTES;
    const mine = await replays.keep(claim, {
      status: answer.status,
      contentType: answer.contentType,
      body: mayKeep ? answer.body : undefined,
      credits: call.shown.credits,
      keyOwner: call.shown.key ?? call.keys.owner,
      fetchedAt: call.shown.fetchedAt ?? clock(),
      unpublished: charges.map(({ charged }) => JSON.stringify(charged)),
      subjects: mayKeep ? await subjectsOf(call, answer.body) : [],
    });
    // taken for dead, while a retry made the call again: that one is charged
    const records = charges.splice(0).map(({ charged, free }) => usageRecord(mine ? charged : free));
    if (!mine) call.shown.credits = 0;
    publish(claim, records);
  }

  function publish(claim: Claim, records: readonly OutgoingRecord[]): void {
    if (records.length === 0) return;
    const taken = Promise.all(records.map((record) => journal.recorded(record)));
    taken.then((all) => (all.every(Boolean) ? replays.published(claim) : undefined)).catch(onError);
  }
}

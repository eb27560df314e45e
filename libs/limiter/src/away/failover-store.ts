import { AppError, systemClock, within, type Clock } from '@weir/kernel';
import { memoryLimiterStore } from '../memory-store';
import type { Admission, LimiterStore, TakeRef } from '../port';
import { Breaker } from './breaker';
import { localKeyTake, localTenantTake } from './local-limits';
import { owed } from './owed';

export interface FailoverOptions {
  readonly store: LimiterStore;
  /** Resolves when the store answers at all. */
  readonly probe: () => Promise<unknown>;
  /** How long one decision of the store may take. */
  readonly timeoutMs: number;
  /** How many processes decide on their own while the store is away; each has its part. */
  readonly replicas: () => number;
  readonly clock?: Clock;
  readonly onChange?: (away: boolean, cause: unknown) => void;
}

export interface FailoverStore extends LimiterStore {
  /** Whether limits are decided in this process alone. */
  readonly away: boolean;
  /** Decisions made here since the start. */
  readonly localDecisions: number;
}

/**
 * A common store with a local one behind it. One that does not answer in time is asked no more until it does again; meanwhile this
 * process has its part of the shared keys and of what the ledger leaves of the quotas, and own keys have a bucket here. What could not
 * be told to the store is told when it is back.
 */
export function failoverStore({ store, probe, timeoutMs, replicas, clock = systemClock, onChange }: FailoverOptions): FailoverStore {
  const local = memoryLimiterStore({ clock });
  const takenHere = new Set<string>();
  let localDecisions = 0;

  const breaker = new Breaker({ probe, timeoutMs, onChange: (away, cause) => onChange?.(away, cause) });
  const debts = owed(store, () => breaker.open);

  /** Undefined: the store is away. What it rejects for another reason is the caller's. */
  async function ask<T>(step: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    if (breaker.open) return undefined;
    try {
      const value = await within(timeoutMs, step());
      breaker.answered();
      return { value };
    } catch (error) {
      if (error instanceof AppError && error.category !== 'unavailable') throw error;
      breaker.failed(error);
      return undefined;
    }
  }

  async function take(ref: TakeRef, common: () => Promise<Admission>, own: () => Promise<Admission>): Promise<Admission> {
    const name = nameOf(ref);
    if (!takenHere.has(name)) {
      const asked = !breaker.open;
      const answer = await ask(common);
      if (answer !== undefined) return answer.value;
      // it may have been taken there all the same, now, or at the first of its steps
      if (asked) debts.giveBack(ref);
    }
    localDecisions++;
    const admission = await own();
    if (admission.admitted) takenHere.add(name);
    return admission;
  }

  async function end(ref: TakeRef, step: (at: LimiterStore) => Promise<void>, credits: number | undefined): Promise<void> {
    if (takenHere.delete(nameOf(ref))) return step(local);
    if ((await ask(() => step(store))) !== undefined) return;
    if (credits === undefined) debts.giveBack(ref);
    else debts.settle(ref, credits);
  }

  return {
    takeTenant: (one) =>
      take(
        { slot: 'tenant', tenant: one.tenant, project: one.project, takeId: one.takeId },
        () => store.takeTenant(one),
        () => local.takeTenant(localTenantTake(one, replicas(), clock())),
      ),
    takeKey: (one) =>
      take(
        { slot: 'key', keyId: one.keyId, tenant: one.tenant, takeId: one.takeId },
        () => store.takeKey(one),
        () => local.takeKey(localKeyTake(one, replicas())),
      ),
    giveBack: (ref) => end(ref, (at) => at.giveBack(ref), undefined),
    settle: (ref, credits) => end(ref, (at) => at.settle(ref, credits), credits),
    keep: (ref, ticket, forMs) => end(ref, (at) => at.keep(ref, ticket, forMs), undefined),
    async drop(slot) {
      await local.drop(slot);
      await ask(() => store.drop(slot));
    },
    async pause(keyId, forMs) {
      await local.pause(keyId, forMs);
      await ask(() => store.pause(keyId, forMs));
    },
    async inspectTenant(of) {
      const answer = await ask(() => store.inspectTenant(of));
      if (answer !== undefined) return answer.value;
      return local.inspectTenant(localTenantTake({ ...of, takeId: '-', cost: 0 }, replicas(), clock()));
    },
    async inspectKey(of) {
      const answer = await ask(() => store.inspectKey(of));
      return answer === undefined ? local.inspectKey(of) : answer.value;
    },
    async close() {
      breaker.stop();
      debts.stop();
      await Promise.all([store.close(), local.close()]);
    },
    get away() {
      return breaker.open;
    },
    get localDecisions() {
      return localDecisions;
    },
  };
}

const nameOf = (ref: TakeRef): string =>
  ref.slot === 'tenant' ? `${ref.tenant}/${ref.project}/${ref.takeId}` : `${ref.keyId}/${ref.tenant}/${ref.takeId}`;

import { sleep, type AppError, type Clock } from '@weir/kernel';
import { NO_BUCKET, keyLimits, ledgerOf, type Admissions, type KeyTake, type Pass, type Refused, type Share, type Standing, type TenantTake } from '@weir/limiter';
import type { Tables } from '../tables';
import type { DemandCount } from '../usage/demand';
import type { AdmittedCall, Call } from './context';
import type { Candidate } from './key-choice';
import { againMs, refusedBy } from './refusal';
import { castShadow } from './shadow';
import { SIMULATOR_KEY } from './simulator-key';
import { rememberedPolicies } from './tenant-policy';
import { writeTicket } from './ticket';

export interface AdmissionParts {
  readonly admissions: Admissions;
  readonly tables: Tables;
  /** Ids of every endpoint of every catalog. */
  readonly endpoints: readonly string[];
  readonly demand: DemandCount;
  readonly clock: Clock;
  /** The process is stopping: nobody is held any longer. */
  readonly stopping: AbortSignal;
  /** How long a slot is held for a call that never comes back: more than its attempts can take. */
  readonly leaseMs: number;
}

export interface Admission {
  /** Step 3, on the tenant's slot, at the price of a cache hit. @throws AppError `rate-limited`, `not-accountable` */
  enter(call: Call): Promise<AdmittedCall>;
  /**
   * Step 5, on the key's slot, and the rest of the price on the tenant's; `call.pass` holds both afterwards. A refusal holds nothing
   * of a first attempt; before another key is tried the call enters again.
   *
   * @throws AppError `rate-limited`
   */
  enterKey(call: AdmittedCall, candidate: Candidate, attempt: number): Promise<void>;
  /**
   * All keys refused. Resolves when the call may try again, because its caller lets it be held so long.
   *
   * @throws the refusal, with the ticket for what is kept, when nobody waits
   */
  hold(call: AdmittedCall, refusal: AppError): Promise<void>;
  /** Nothing of the call was sent. */
  giveBack(call: AdmittedCall): Promise<void>;
  /** The call is over and cost the tenant `credits`. */
  settle(call: AdmittedCall, credits: number): Promise<void>;
}

/** The simulator has no rate of its own; this one keeps a runaway test from starving the others. */
const SIMULATOR_RATE = { perMinute: 60_000, burst: 1_000 };
const NO_KEY = 'key_none';

export function createAdmissionSteps(parts: AdmissionParts): Admission {
  const { admissions, tables, demand, clock, stopping, leaseMs } = parts;
  const policiesOf = rememberedPolicies(parts);

  return {
    async enter(call) {
      const admitted: AdmittedCall = Object.assign(call, { sent: false, slot: undefined, againAt: undefined, heldMs: 0, pass: NOTHING, shadow: undefined });
      admitted.pass = await enter(admitted, call.requestId, call.ticket?.ticket);
      return admitted;
    },

    async enterKey(call, candidate, attempt) {
      const { key } = candidate;
      const kept = call.slot?.ticket ?? call.ticket?.ticket;
      if (call.pass.key === undefined && attempt > 1) call.pass = await enter(call, `${call.requestId}/${attempt}`, kept);
      const cost = call.mode === 'live' ? call.endpoint.credits : 0;
      call.shadow?.raise(cost);
      const answer = await admissions.forKey(call.pass, { key: keyTake(call, candidate, attempt), cost });
      if (!answer.admitted) return refusedByKey(call, key.id, answer);
      if (call.slot !== undefined && call.slot.keyId !== key.id) drop(call);
      call.slot = undefined;
      demand.admitted(call.tenant.id, key.id);
      countHeld(call, key.id);
      call.pass = answer;
      call.shown.limits = inForce(call, answer.limits);
    },

    async hold(call, refusal) {
      // a key's pause has no more than whole seconds
      const waitMs = (call.slot?.dueAt ?? call.againAt ?? clock() + (refusal.retryAfter ?? Infinity) * 1_000) - clock();
      call.againAt = undefined;
      if (refusal.code !== 'rate-limited' || !(await waited(call, waitMs))) throw told(call, refusal);
    },

    giveBack: async (call) => {
      call.shadow?.end(undefined);
      countHeld(call, firstKey(call));
      if (call.pass !== NOTHING) await admissions.giveBack(call.pass);
    },
    settle: async (call, credits) => {
      const cost = call.mode === 'live' ? credits : 0;
      call.shadow?.end(cost);
      countHeld(call, firstKey(call));
      await admissions.settle(call.pass, cost);
    },
  };

  /** @param ticket of an earlier refusal: what was kept under it is this take's */
  async function enter(call: AdmittedCall, takeId: string, ticket: string | undefined): Promise<Pass> {
    const { enforced, shadow } = policiesOf(call);
    const tenant = call.tenant.id;
    const live = call.mode === 'live';
    const take: TenantTake = {
      tenant,
      project: call.projectId,
      takeId,
      endpoint: call.endpoint.id,
      // a test call spends no quota: it is never on an invoice
      cost: live ? call.plan.terms.hitPrice : 0,
      limits: enforced,
      ledger: ledgerOf(tables.quotas.get(tenant), tables.budgets.get(tenant), clock()),
      ticket,
    };
    if (shadow !== undefined && call.shadow === undefined) {
      call.shadow = castShadow(admissions, take, shadow, (limit) =>
        demand.shadowed(tenant, firstKey(call), limit === 'endpoint-bucket' ? `endpoint:${call.endpoint.id}` : limit),
      );
    }
    for (;;) {
      const answer = await admissions.enter(take);
      call.shown.limits = inForce(call, answer.limits);
      if (answer.admitted) return answer;
      if (await waited(call, againMs(answer) ?? Infinity)) continue;
      call.shadow?.end(undefined);
      throw told(call, refusedBy(answer, clock()));
    }
  }

  function keyTake(call: AdmittedCall, { key, owner }: Candidate, attempt: number): KeyTake {
    const ceiling = tables.ceilings.get(key.id);
    const keyRate = key === SIMULATOR_KEY ? SIMULATOR_RATE : call.catalog.keyRate;
    const ticket = call.slot?.keyId === key.id ? call.slot.ticket : call.ticket?.keyId === key.id ? call.ticket.ticket : undefined;
    const share: Share | undefined = owner === 'own' ? undefined : { weight: call.plan.terms.weight, priority: call.priority };
    return {
      keyId: key.id,
      tenant: call.tenant.id,
      project: call.projectId,
      takeId: `${call.requestId}/${attempt}`,
      limits: keyLimits({ ceiling, keyRate, leaseMs }),
      share,
      ticket,
    };
  }

  function refusedByKey(call: AdmittedCall, keyId: string, refusal: Refused): never {
    // by the key, the tenant's credits were taken and given back: what it had before is what it has
    const ofKey = refusal.limits.filter(({ name }) => name.startsWith('upstream-key') || name === 'fair-share');
    call.shown.limits = ofKey.length === 0 ? refusal.limits : [...call.shown.limits, ...ofKey];
    const { slot } = refusal;
    const retryAfterMs = againMs(refusal);
    // returned, or kept for the ticket
    if (call.pass.key === undefined) call.pass = NOTHING;
    if (slot === null && retryAfterMs !== null) call.againAt = Math.min(call.againAt ?? Infinity, clock() + retryAfterMs);
    if (slot !== null) {
      const kept = { keyId, ticket: slot.ticket, promised: slot.promised, dueAt: clock() + (retryAfterMs ?? 0) };
      const before = call.slot;
      if (before === undefined || before.keyId === keyId || kept.dueAt < before.dueAt) {
        if (before !== undefined && before.keyId !== keyId) drop(call);
        call.slot = kept;
      } else {
        void admissions.drop({ keyId, tenant: call.tenant.id, ticket: kept.ticket }).catch(() => undefined);
      }
    } else if (call.slot?.keyId === keyId) {
      call.slot = undefined;
    }
    throw refusedBy(refusal, clock());
  }

  /** Whether the caller was held so long; not when it would be too long for it, when it has gone, or when the process stops. */
  async function waited(call: AdmittedCall, waitMs: number): Promise<boolean> {
    const from = clock();
    if (stopping.aborted || from + waitMs > Math.min(call.waitUntil, call.deadline)) return false;
    const gone = call.gone?.();
    await sleep(waitMs, gone === undefined ? stopping : AbortSignal.any([stopping, gone]));
    call.heldMs += clock() - from;
    if (gone?.aborted !== true) return !stopping.aborted;
    // nobody is there any more to come for it
    drop(call);
    return false;
  }

  /** The last word: counted, and with the ticket for the slot that is kept. */
  function told(call: AdmittedCall, refusal: AppError): AppError {
    // what another key's trouble ended has no use for a slot
    if (refusal.code !== 'rate-limited') drop(call);
    const { slot } = call;
    const keyId = slot?.keyId ?? firstKey(call);
    const { limitedBy } = refusal.details;
    if (typeof limitedBy === 'string') demand.refused(call.tenant.id, keyId, limitedBy, slot?.promised ?? false);
    countHeld(call, keyId);
    if (slot !== undefined) call.shown.ticket = writeTicket(slot);
    return refusal;
  }

  function drop(call: AdmittedCall): void {
    const { slot } = call;
    call.slot = undefined;
    // unheard, it ends by itself
    if (slot !== undefined) void admissions.drop({ keyId: slot.keyId, tenant: call.tenant.id, ticket: slot.ticket }).catch(() => undefined);
  }

  function countHeld(call: AdmittedCall, keyId: string): void {
    if (call.heldMs > 0) demand.waited(call.tenant.id, keyId, call.heldMs);
    call.heldMs = 0;
  }
}

/** A bucket that is out of force, in the shadow, limits nobody and is not shown. */
const inForce = (call: AdmittedCall, limits: readonly Standing[]): readonly Standing[] =>
  call.shadow === undefined ? limits : limits.filter(({ name, limit }) => name !== 'tenant-bucket' || limit < NO_BUCKET.capacity);

const firstKey = (call: Call): string => call.keys.candidates[0]?.key.id ?? NO_KEY;

/** Before the first step, and for nobody to settle. */
const NOTHING = {} as Pass;

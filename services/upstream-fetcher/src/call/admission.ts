import { andThen, sleep, type AppError, type Clock, type Eventually } from '@weir/kernel';
import type { KeyCeilingState } from '@weir/contracts';
import { keyLimits, ledgerOf, type Admissions, type KeyLimits, type KeyTake, type Pass, type Refused, type Share, type TenantTake } from '@weir/limiter';
import type { Tables } from '../tables';
import type { DemandCount } from '../usage/demand';
import type { AdmittedCall, Call } from './context';
import type { Candidate } from './key-choice';
import { againMs, refusedBy } from './refusal';
import { castShadow } from './shadow';
import { SIMULATOR_KEY } from './simulator-key';
import { rememberedPolicies } from './tenant-policy';
import { writeTicket, type Ticket } from './ticket';

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

/** Answers at once where the limiter does, and then throws instead of rejecting. */
export interface Admission {
  /** Step 3, on the tenant's slot, at the price of a cache hit. @throws AppError `rate-limited`, `not-accountable` */
  enter(call: AdmittedCall): Eventually<void>;
  /**
   * Step 5, on the key's slot, and the rest of the price on the tenant's; `call.pass` holds both afterwards. A refusal holds nothing
   * of a first attempt; before another key is tried the call enters again.
   *
   * @throws AppError `rate-limited`
   */
  enterKey(call: AdmittedCall, candidate: Candidate, attempt: number): Eventually<void>;
  /**
   * All keys refused. Resolves when the call may try again, because its caller lets it be held so long.
   *
   * @throws the refusal, with the ticket for what is kept, when nobody waits
   */
  hold(call: AdmittedCall, refusal: AppError): Promise<void>;
  /** Nothing of the call was sent. */
  giveBack(call: AdmittedCall): Eventually<void>;
  /** The call is over and cost the tenant `credits`. */
  settle(call: AdmittedCall, credits: number): Eventually<void>;
}

/** The simulator has no rate of its own; this one keeps a runaway test from starving the others. */
const SIMULATOR_RATE = { perMinute: 60_000, burst: 1_000 };
type KeyRate = Parameters<typeof keyLimits>[0]['keyRate'];
const NO_KEY = 'key_none';

export function createAdmissionSteps(parts: AdmissionParts): Admission {
  const { admissions, tables, demand, clock, stopping, leaseMs } = parts;
  const policiesOf = rememberedPolicies(parts);
  const limitsOfKeys = new WeakMap<KeyCeilingState | KeyRate, KeyLimits>();

  return {
    enter: (call) => enter(call, call.requestId, call.ticket?.ticket),

    enterKey(call, candidate, attempt) {
      if (call.pass.key !== undefined || attempt === 1) return enterKey(call, candidate, attempt);
      const again = enter(call, `${call.requestId}/${attempt}`, call.slot?.ticket ?? call.ticket?.ticket);
      return andThen(again, () => enterKey(call, candidate, attempt));
    },

    async hold(call, refusal) {
      // a key's pause has no more than whole seconds
      const waitMs = (call.slot?.dueAt ?? call.againAt ?? clock() + (refusal.retryAfter ?? Infinity) * 1_000) - clock();
      call.againAt = undefined;
      if (refusal.code !== 'rate-limited' || !(await waited(call, waitMs))) throw told(call, refusal);
    },

    giveBack(call) {
      call.shadow?.end(undefined);
      countHeld(call, firstKey(call));
      return call.pass === NOTHING ? undefined : admissions.giveBack(call.pass);
    },
    settle(call, credits) {
      const cost = call.mode === 'live' ? credits : 0;
      call.shadow?.end(cost);
      countHeld(call, firstKey(call));
      return admissions.settle(call.pass, cost);
    },
  };

  function enterKey(call: AdmittedCall, candidate: Candidate, attempt: number): Eventually<void> {
    const cost = call.mode === 'live' ? call.endpoint.credits : 0;
    call.shadow?.raise(cost);
    const answer = admissions.forKey(call.pass, { key: keyTake(call, candidate, attempt), cost });
    return answer instanceof Promise ? answer.then((late) => decidedByKey(call, candidate, late)) : decidedByKey(call, candidate, answer);
  }

  function decidedByKey(call: AdmittedCall, { key }: Candidate, answer: Pass | Refused): void {
    if (!answer.admitted) return refusedByKey(call, key.id, answer);
    if (call.slot !== undefined && call.slot.keyId !== key.id) drop(call);
    call.slot = undefined;
    demand.admitted(call.tenant.id, key.id);
    countHeld(call, key.id);
    call.pass = answer;
    call.shown.limits = answer;
  }

  /** @param ticket of an earlier refusal: what was kept under it is this take's */
  function enter(call: AdmittedCall, takeId: string, ticket: string | undefined): Eventually<void> {
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
    const answer = admissions.enter(take);
    if (answer instanceof Promise || !answer.admitted) return untilLetIn(call, take, answer);
    letIn(call, answer);
  }

  async function untilLetIn(call: AdmittedCall, take: TenantTake, first: Eventually<Pass | Refused>): Promise<void> {
    for (let answer = await first; ; answer = await admissions.enter(take)) {
      if (answer.admitted) return letIn(call, answer);
      call.shown.limits = answer;
      if (await waited(call, againMs(answer) ?? Infinity)) continue;
      call.shadow?.end(undefined);
      throw told(call, refusedBy(answer, clock()));
    }
  }

  function letIn(call: AdmittedCall, pass: Pass): void {
    call.pass = pass;
    call.shown.limits = pass;
  }

  function keyTake(call: AdmittedCall, { key, owner }: Candidate, attempt: number): KeyTake {
    const ticket = call.slot?.keyId === key.id ? call.slot.ticket : call.ticket?.keyId === key.id ? call.ticket.ticket : undefined;
    const share: Share | undefined = owner === 'own' ? undefined : { weight: call.plan.terms.weight, priority: call.priority };
    return {
      keyId: key.id,
      tenant: call.tenant.id,
      project: call.projectId,
      takeId: `${call.requestId}/${attempt}`,
      limits: limitsOf(tables.ceilings.get(key.id), key === SIMULATOR_KEY ? SIMULATOR_RATE : call.catalog.keyRate),
      share,
      ticket,
    };
  }

  /** Made anew when the ceiling's record changes, and not for each call. */
  function limitsOf(ceiling: KeyCeilingState | undefined, keyRate: KeyRate): KeyLimits {
    const of = ceiling ?? keyRate;
    let limits = limitsOfKeys.get(of);
    if (limits === undefined) limitsOfKeys.set(of, (limits = keyLimits({ ceiling, keyRate, leaseMs })));
    return limits;
  }

  function refusedByKey(call: AdmittedCall, keyId: string, refusal: Refused): never {
    // by the key, the tenant's credits were taken and given back: what it had before is what it has
    const ofKey = refusal.limits.filter(({ name }) => name.startsWith('upstream-key') || name === 'fair-share');
    call.shown.limits = ofKey.length === 0 ? refusal : { limits: [...call.shown.limits.limits, ...ofKey] };
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
        dropSlot(call, kept);
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
    if (slot !== undefined) dropSlot(call, slot);
  }

  /** Unheard, it ends by itself. */
  function dropSlot(call: AdmittedCall, { keyId, ticket }: Ticket): void {
    const dropping = admissions.drop({ keyId, tenant: call.tenant.id, ticket });
    if (dropping instanceof Promise) dropping.catch(() => undefined);
  }

  function countHeld(call: AdmittedCall, keyId: string): void {
    if (call.heldMs > 0) demand.waited(call.tenant.id, keyId, call.heldMs);
    call.heldMs = 0;
  }
}

const firstKey = (call: Call): string => call.keys.candidates[0]?.key.id ?? NO_KEY;

/** Before the first step, and for nobody to settle. */
export const NOTHING = {} as Pass;

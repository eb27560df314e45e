import type { LimitOverride, PlanTerms } from '@weir/contracts';
import { sleep, type Clock } from '@weir/kernel';
import {
  keyLimits,
  tenantLimits,
  type Admissions,
  type KeyLimits,
  type Pass,
  type Refused,
  type TenantLimits,
} from '@weir/limiter';
import type { Catalog } from '@weir/upstream-catalog';
import { refusedBy } from '../errors';
import type { Tables } from '../tables';
import type { DemandCount } from '../usage/demand';
import type { AdmittedCall, Call } from './context';
import type { Candidate } from './key-choice';
import { SIMULATOR_KEY } from './simulator-key';

export interface AdmissionParts {
  readonly admissions: Admissions;
  readonly tables: Tables;
  readonly catalog: Catalog;
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
  /** Nothing of the call was sent. */
  giveBack(call: AdmittedCall): Promise<void>;
  /** The call is over and cost the tenant `credits`. */
  settle(call: AdmittedCall, credits: number): Promise<void>;
}

/** The simulator has no rate of its own; this one keeps a runaway test from starving the others. */
const SIMULATOR_RATE = { perMinute: 60_000, burst: 1_000 };

export function createAdmissionSteps(parts: AdmissionParts): Admission {
  const { admissions, tables, catalog, demand, clock, stopping, leaseMs } = parts;
  const limitsOf = rememberedLimits(parts);

  function refuse(call: Call, keyId: string | undefined, refusal: Refused): never {
    // by the key, the tenant's credits were taken and given back: what it had before is what it has
    const ofKey = refusal.limits.filter(({ name }) => name.startsWith('upstream-key'));
    call.shown.limits = ofKey.length === 0 ? refusal.limits : [...call.shown.limits, ...ofKey];
    demand.refused(call.tenant.id, keyId ?? NO_KEY, refusal.limitedBy);
    throw refusedBy(refusal, clock());
  }

  async function enter(call: Call, takeId: string): Promise<Pass> {
    const live = call.mode === 'live';
    const take = {
      tenant: call.tenant.id,
      project: call.projectId,
      takeId,
      endpoint: call.endpoint.id,
      // a test call spends no quota: it is never on an invoice
      cost: live ? call.plan.terms.hitPrice : 0,
      limits: limitsOf(call),
      ledger: tables.quotas.get(call.tenant.id),
    };
    for (;;) {
      const answer = await admissions.enter(take);
      call.shown.limits = answer.limits;
      if (answer.admitted) return answer;
      const waitMs = answer.retryAfterMs ?? Infinity;
      if (stopping.aborted || clock() + waitMs > call.waitUntil) refuse(call, call.keys.candidates[0]?.key.id, answer);
      demand.waited(call.tenant.id, call.keys.candidates[0]?.key.id ?? NO_KEY, waitMs);
      await sleep(waitMs, stopping);
    }
  }

  return {
    async enter(call) {
      const pass = await enter(call, call.requestId);
      return Object.assign(call, { pass, sent: false });
    },

    async enterKey(call, { key }, attempt) {
      if (call.pass.key === undefined && attempt > 1) call.pass = await enter(call, `${call.requestId}/${attempt}`);
      const limits: KeyLimits = keyLimits({
        ceiling: tables.ceilings.get(key.id),
        keyRate: key === SIMULATOR_KEY ? SIMULATOR_RATE : catalog.keyRate,
        leaseMs,
      });
      const answer = await admissions.forKey(call.pass, {
        key: { keyId: key.id, tenant: call.tenant.id, project: call.projectId, takeId: `${call.requestId}/${attempt}`, limits },
        cost: call.mode === 'live' ? call.endpoint.credits : 0,
      });
      if (!answer.admitted) refuse(call, key.id, answer);
      demand.admitted(call.tenant.id, key.id);
      call.pass = answer;
      call.shown.limits = answer.limits;
    },

    giveBack: ({ pass }) => admissions.giveBack(pass),
    settle: ({ pass, mode }, credits) => admissions.settle(pass, mode === 'live' ? credits : 0),
  };
}

const NO_KEY = 'key_none';

interface Remembered {
  readonly terms: PlanTerms;
  readonly overrides: readonly LimitOverride[];
  readonly until: number;
  readonly limits: TenantLimits;
  readonly withoutQuotas: TenantLimits;
}

const NO_OVERRIDES: readonly LimitOverride[] = [];

/** A tenant's limits change when its plan or an override does, not with each call. */
function rememberedLimits({ tables, clock, leaseMs }: AdmissionParts): (call: Call) => TenantLimits {
  const remembered = new Map<string, Remembered>();
  return ({ tenant, plan: { terms }, mode }) => {
    const now = clock();
    const overrides = tables.policies.get(tenant.id)?.overrides ?? NO_OVERRIDES;
    let entry = remembered.get(tenant.id);
    if (entry === undefined || entry.terms !== terms || entry.overrides !== overrides || entry.until <= now) {
      const limits = tenantLimits({ terms, overrides, leaseMs, now });
      const ends = overrides.flatMap(({ expiresAt }) => (expiresAt !== null && expiresAt > now ? [expiresAt] : []));
      const withoutQuotas = { ...limits, dailyCredits: undefined, monthlyCredits: undefined };
      entry = { terms, overrides, until: Math.min(...ends, Infinity), limits, withoutQuotas };
      remembered.set(tenant.id, entry);
    }
    return mode === 'live' ? entry.limits : entry.withoutQuotas;
  };
}

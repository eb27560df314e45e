import { sleep } from '@weir/kernel';
import type { Admission, Admitted, KeyRef, KeyTake, LimiterStore, Refused, SlotRef, Standing, TenantRef, TenantTake } from './port';

/** A call that was let in: what it holds, and the limits as they stand. */
export interface Pass extends Admitted {
  readonly tenant: TenantTake;
  /** The attempt on an upstream key, after step 2. */
  readonly key?: KeyTake;
}

export interface KeyStep {
  readonly key: KeyTake;
  /** The whole price of the call in credits; the tenant's slot takes what it is above step 1's. */
  readonly cost: number;
}

/** How long a caller is held for its slot instead of being refused. */
export interface Hold {
  /** From now. A slot that is later than that is a refusal, with its ticket. */
  readonly maxWaitMs: number;
  /** The caller went away, or the process stops: the slot is dropped, and the answer is the refusal without it. */
  readonly signal?: AbortSignal | undefined;
  /** Told before each wait. */
  readonly onWait?: ((waitMs: number) => void) | undefined;
}

export interface Admissions {
  /** Step 1, before the cache. */
  enter(take: TenantTake): Promise<Pass | Refused>;
  /**
   * Step 2, after a miss. A tenant without the credits never touches the key. Refused, step 1 has been returned. With a pass that
   * already had an attempt (a retry), that attempt is ended first and a refusal leaves step 1 for the caller to settle.
   *
   * Refused with a slot, step 1 is kept for the ticket instead of returned; a held caller keeps it while it waits.
   */
  forKey(pass: Pass, step: KeyStep, hold?: Hold): Promise<Pass | Refused>;
  /** Nothing was sent: all of it goes back. */
  giveBack(pass: Pass): Promise<void>;
  /** Nobody will come for a slot of a refusal. */
  drop(slot: SlotRef): Promise<void>;
  /** The call is over and cost the tenant `credits`. */
  settle(pass: Pass, credits: number): Promise<void>;
}

/** @param options.wait for tests that own the time */
export function createAdmission(store: LimiterStore, options: { wait?: typeof sleep } = {}): Admissions {
  const { wait = sleep } = options;

  const giveBack = async ({ tenant, key }: Pass) => {
    await Promise.all([store.giveBack(tenantRef(tenant)), key && store.giveBack(keyRef(key))]);
  };

  async function secondStep(pass: Pass, { key, cost }: KeyStep, hold: Hold | undefined): Promise<Pass | Refused> {
    const tenant = cost > pass.tenant.cost ? { ...pass.tenant, cost } : pass.tenant;
    const raised = tenant === pass.tenant ? pass : await store.takeTenant(tenant);
    if (!raised.admitted) return raised;
    const onKey = await takeOrWait(key, hold);
    const limits: readonly Standing[] = [...raised.limits, ...onKey.limits];
    const shadowed = [...raised.shadowed, ...onKey.shadowed];
    return onKey.admitted ? { ...onKey, tenant, key, limits, shadowed } : { ...onKey, limits, shadowed };
  }

  /** A slot that comes in time is waited for; who goes away meanwhile leaves none behind. */
  async function takeOrWait(key: KeyTake, hold: Hold | undefined): Promise<Admission> {
    let leftMs = hold?.maxWaitMs ?? 0;
    for (let take = key; ; ) {
      const answer = await store.takeKey(take);
      if (answer.admitted || !answer.slot || !hold) return answer;
      const waitMs = answer.retryAfterMs ?? Infinity;
      const { ticket } = answer.slot;
      if (!hold.signal?.aborted) {
        if (waitMs > leftMs) return answer;
        hold.onWait?.(waitMs);
        await wait(waitMs, hold.signal);
      }
      if (hold.signal?.aborted) {
        await store.drop({ keyId: key.keyId, tenant: key.tenant, ticket });
        return { ...answer, slot: null };
      }
      leftMs -= waitMs;
      take = { ...key, ticket };
    }
  }

  return {
    async enter(take) {
      const answer = await store.takeTenant(take);
      return answer.admitted ? { ...answer, tenant: take } : answer;
    },

    async forKey(pass, step, hold) {
      if (pass.key) {
        await store.settle(keyRef(pass.key), 0);
        return secondStep({ admitted: true, tenant: pass.tenant, limits: tenantLimits(pass), shadowed: [] }, step, hold);
      }
      // A store that fails here most likely fails the return too; then the take expires, and the first error is the one to tell.
      const answer = await secondStep(pass, step, hold).catch(async (error: unknown) => {
        await Promise.allSettled([giveBack({ ...pass, key: step.key })]);
        throw error;
      });
      if (answer.admitted) return answer;
      const ref = tenantRef(pass.tenant);
      if (answer.slot) await store.keep(ref, answer.slot.ticket, (answer.retryAfterMs ?? 0) + answer.slot.graceMs);
      else await store.giveBack(ref);
      return answer;
    },

    giveBack,
    drop: (slot) => store.drop(slot),

    async settle({ tenant, key }, credits) {
      await Promise.all([store.settle(tenantRef(tenant), credits), key && store.settle(keyRef(key), 0)]);
    },
  };
}

const tenantRef = ({ tenant, project, takeId }: TenantTake): TenantRef => ({ slot: 'tenant', tenant, project, takeId });
const keyRef = ({ keyId, tenant, takeId }: KeyTake): KeyRef => ({ slot: 'key', keyId, tenant, takeId });

const tenantLimits = ({ limits }: Pass) => limits.filter(({ name }) => !name.startsWith('upstream-key'));

import type { Admitted, KeyTake, LimiterStore, Refused, Standing, TakeRef, TenantTake } from './port';

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

export interface Admissions {
  /** Step 1, before the cache. */
  enter(take: TenantTake): Promise<Pass | Refused>;
  /**
   * Step 2, after a miss. A tenant without the credits never touches the key. Refused, step 1 has been returned. With a pass that
   * already had an attempt (a retry), that attempt is ended first and a refusal leaves step 1 for the caller to settle.
   */
  forKey(pass: Pass, step: KeyStep): Promise<Pass | Refused>;
  /** Nothing was sent: all of it goes back. */
  giveBack(pass: Pass): Promise<void>;
  /** The call is over and cost the tenant `credits`. */
  settle(pass: Pass, credits: number): Promise<void>;
}

export function createAdmission(store: LimiterStore): Admissions {
  const giveBack = async ({ tenant, key }: Pass) => {
    await Promise.all([store.giveBack(tenantRef(tenant)), key && store.giveBack(keyRef(key))]);
  };

  async function secondStep(pass: Pass, { key, cost }: KeyStep): Promise<Pass | Refused> {
    const tenant = cost > pass.tenant.cost ? { ...pass.tenant, cost } : pass.tenant;
    const raised = tenant === pass.tenant ? pass : await store.takeTenant(tenant);
    if (!raised.admitted) return raised;
    const onKey = await store.takeKey(key);
    const limits: readonly Standing[] = [...raised.limits, ...onKey.limits];
    return onKey.admitted ? { admitted: true, tenant, key, limits } : { ...onKey, limits };
  }

  return {
    async enter(take) {
      const answer = await store.takeTenant(take);
      return answer.admitted ? { ...answer, tenant: take } : answer;
    },

    async forKey(pass, step) {
      if (pass.key) {
        await store.settle(keyRef(pass.key), 0);
        return secondStep({ admitted: true, tenant: pass.tenant, limits: tenantLimits(pass) }, step);
      }
      // A store that fails here most likely fails the return too; then the take expires, and the first error is the one to tell.
      const answer = await secondStep(pass, step).catch(async (error: unknown) => {
        await Promise.allSettled([giveBack({ ...pass, key: step.key })]);
        throw error;
      });
      if (!answer.admitted) await store.giveBack(tenantRef(pass.tenant));
      return answer;
    },

    giveBack,

    async settle({ tenant, key }, credits) {
      await Promise.all([store.settle(tenantRef(tenant), credits), key && store.settle(keyRef(key), 0)]);
    },
  };
}

const tenantRef = ({ tenant, project, takeId }: TenantTake): TakeRef => ({ slot: 'tenant', tenant, project, takeId });
const keyRef = ({ keyId, tenant, takeId }: KeyTake): TakeRef => ({ slot: 'key', keyId, tenant, takeId });

const tenantLimits = ({ limits }: Pass) => limits.filter(({ name }) => !name.startsWith('upstream-key'));

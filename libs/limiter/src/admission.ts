import { andThen, type Eventually } from '@weir/kernel';
import type { Admitted, KeyRef, KeyTake, LimiterStore, LimitName, Refused, SlotRef, Standing, TenantRef, TenantTake } from './port';

/** A call that was let in: what it holds, and the limits as they stand. */
export interface Pass extends Admitted {
  readonly tenant: TenantTake;
  /** The attempt on an upstream key, after step 2. */
  readonly key?: KeyTake | undefined;
}

export interface KeyStep {
  readonly key: KeyTake;
  /** The whole price of the call in credits; the tenant's slot takes what it is above step 1's. */
  readonly cost: number;
}

/** Answers at once where the store does, and then throws instead of rejecting. */
export interface Admissions {
  /** Step 1, before the cache. */
  enter(take: TenantTake): Eventually<Pass | Refused>;
  /**
   * Step 2, after a miss. A tenant without the credits never touches the key. Refused, step 1 has been returned, or, with a slot, is kept
   * for the ticket. With a pass that already had an attempt (a retry), that attempt is ended first and a refusal leaves step 1 for the
   * caller to settle.
   */
  forKey(pass: Pass, step: KeyStep): Eventually<Pass | Refused>;
  /** Nothing was sent: all of it goes back. */
  giveBack(pass: Pass): Eventually<void>;
  /** Nobody will come for a slot of a refusal. */
  drop(slot: SlotRef): Eventually<void>;
  /** The call is over and cost the tenant `credits`. */
  settle(pass: Pass, credits: number): Eventually<void>;
}

export function createAdmission(store: LimiterStore): Admissions {
  const steps = store.atOnce ?? store;

  const giveBack = ({ tenant, key }: Pass) =>
    both(steps.giveBack(tenantRef(tenant)), key === undefined ? undefined : steps.giveBack(keyRef(key)));

  function secondStep(pass: Pass, { key, cost }: KeyStep): Eventually<Pass | Refused> {
    if (cost <= pass.tenant.cost) return onKey(pass.tenant, pass, key);
    const tenant = { ...pass.tenant, cost };
    return andThen(steps.takeTenant(tenant), (raised) => (raised.admitted ? onKey(tenant, raised, key) : raised));
  }

  const onKey = (tenant: TenantTake, raised: Admitted, key: KeyTake): Eventually<Pass | Refused> =>
    andThen(steps.takeKey(key), (answer) => (answer.admitted ? new Passed(tenant, raised, key, answer) : refused(raised, answer)));

  /** Refused by the key, step 1 goes back. */
  function returned(pass: Pass, answer: Pass | Refused): Eventually<Pass | Refused> {
    if (answer.admitted) return answer;
    const ref = tenantRef(pass.tenant);
    const kept = answer.slot ? steps.keep(ref, answer.slot.ticket, (answer.retryAfterMs ?? 0) + answer.slot.graceMs) : steps.giveBack(ref);
    return andThen(kept, () => answer);
  }

  /** A store that fails here most likely fails the return too; then the take expires, and the first error is the one to tell. */
  async function failed(pass: Pass, { key }: KeyStep, error: unknown): Promise<never> {
    await Promise.allSettled([giveBack({ ...pass, key })]);
    throw error;
  }

  return {
    enter: (take) => andThen(steps.takeTenant(take), (answer) => (answer.admitted ? new Passed(take, answer) : answer)),

    forKey(pass, step) {
      if (pass.key !== undefined) {
        const only = { admitted: true as const, tenant: pass.tenant, limits: tenantLimits(pass), shadowed: [] };
        return andThen(steps.settle(keyRef(pass.key), 0), () => secondStep(only, step));
      }
      const answer = secondStep(pass, step);
      if (!(answer instanceof Promise)) return returned(pass, answer);
      return answer.catch((error: unknown) => failed(pass, step, error)).then((late) => returned(pass, late));
    },

    giveBack,
    drop: (slot) => steps.drop(slot),
    settle: ({ tenant, key }, credits) =>
      both(steps.settle(tenantRef(tenant), credits), key === undefined ? undefined : steps.settle(keyRef(key), 0)),
  };
}

/** What both steps say is put together when somebody asks for it: of most calls nobody does. */
class Passed implements Pass {
  readonly admitted = true;

  constructor(
    readonly tenant: TenantTake,
    private readonly onTenant: Admitted,
    readonly key?: KeyTake,
    private readonly onKey?: Admitted,
  ) {}

  get limits(): readonly Standing[] {
    return this.onKey === undefined ? this.onTenant.limits : [...this.onTenant.limits, ...this.onKey.limits];
  }
  get shadowed(): readonly LimitName[] {
    return this.onKey === undefined ? this.onTenant.shadowed : [...this.onTenant.shadowed, ...this.onKey.shadowed];
  }
  get by(): Admitted['by'] {
    return this.onKey?.by;
  }
}

const refused = (raised: Admitted, onKey: Refused): Refused => ({
  ...onKey,
  limits: [...raised.limits, ...onKey.limits],
  shadowed: [...raised.shadowed, ...onKey.shadowed],
});

const both = (one: Eventually<void>, other: Eventually<void>): Eventually<void> =>
  one instanceof Promise || other instanceof Promise ? Promise.all([one, other]).then(() => undefined) : undefined;

const tenantRef = ({ tenant, project, takeId }: TenantTake): TenantRef => ({ slot: 'tenant', tenant, project, takeId });
const keyRef = ({ keyId, tenant, takeId }: KeyTake): KeyRef => ({ slot: 'key', keyId, tenant, takeId });

const tenantLimits = ({ limits }: Pass) => limits.filter(({ name }) => !name.startsWith('upstream-key'));

import { shadowOf, type Admissions, type LimitName, type Pass, type TenantLimits, type TenantTake } from '@weir/limiter';

/** What the shadow policies of a call's tenant make of it. Nothing here is waited for, and nothing here refuses. */
export interface Shadow {
  /** The price beyond a cache hit's. */
  raise(cost: number): void;
  /** The call is over and cost the tenant `credits`; undefined: nothing of it was sent. */
  end(credits: number | undefined): void;
}

/**
 * Counts beside the tenant's limits, in a slot of their own: what is tried there and what holds never meet. A limiter that fails leaves
 * the trial with a call less; the call itself meets the same limiter and tells.
 *
 * @param count each limit once that would have refused the call
 */
export function castShadow(
  admissions: Admissions,
  take: TenantTake,
  limits: TenantLimits,
  count: (limit: LimitName) => void,
): Shadow {
  const { ticket: _, ...rest } = take;
  let asked: TenantTake = { ...rest, project: shadowOf(take.project), limits };
  const counted = new Set<LimitName>();

  async function enter(): Promise<Pass | undefined> {
    const answer = await admissions.enter(asked);
    const by = answer.admitted || answer.policy === null ? answer.shadowed : [...answer.shadowed, answer.policy];
    for (const name of by) {
      if (counted.has(name)) continue;
      counted.add(name);
      count(name);
    }
    return answer.admitted ? answer : undefined;
  }

  let last = enter().catch(() => undefined);
  const then = (step: (pass: Pass | undefined) => Promise<Pass | undefined>) => void (last = last.then(step).catch(() => undefined));

  return {
    raise(cost) {
      if (cost <= asked.cost) return;
      asked = { ...asked, cost };
      then(async (pass) => (pass === undefined ? pass : ((await enter()) ?? pass)));
    },
    end(credits) {
      then(async (pass) => {
        if (pass !== undefined) await (credits === undefined ? admissions.giveBack(pass) : admissions.settle(pass, credits));
        return undefined;
      });
    },
  };
}

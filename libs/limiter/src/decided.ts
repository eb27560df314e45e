import { takeClosed } from './errors';
import type { Admission, Admitted, LimitName, Slot, Standing } from './port';
import { limitedBy, standings, type Order, type Rule, type SharedOrder, type Use } from './rules';
import { GRACE_MICROS, type OpenSlot } from './sharing';

/** What an adapter answers to an order; `uses` are in the order of its rules, `shadowed` are some of these. */
export type Verdict =
  | { readonly is: 'admitted'; readonly uses: readonly Use[]; readonly shadowed: readonly Rule[] }
  | {
      readonly is: 'refused';
      readonly by: Rule;
      readonly waitMicros: number | null;
      readonly uses: readonly Use[];
      readonly shadowed: readonly Rule[];
    }
  | { readonly is: 'paused'; readonly waitMicros: number; readonly uses: readonly Use[] }
  | { readonly is: 'unknown-ledger'; readonly uses: readonly Use[] }
  | { readonly is: 'closed' };

/** A tenant's place on a shared key after the decision. */
export interface ShareUse {
  /** Thousandths, of all busy tenants with this one. */
  readonly busyWeight: number;
  /** Calls ahead of its share, and how long until it is not. */
  readonly calls: number;
  readonly resetMicros: number;
}

export type SharedVerdict =
  | {
      readonly is: 'admitted';
      readonly by: 'slot' | 'share' | 'free' | undefined;
      readonly uses: readonly Use[];
      readonly share: ShareUse;
    }
  | {
      readonly is: 'refused';
      /** Undefined: by the share. */
      readonly by: Rule | undefined;
      readonly waitMicros: number | null;
      readonly slot: Pick<OpenSlot, 'ticket' | 'priority'> | undefined;
      readonly uses: readonly Use[];
      readonly share: ShareUse;
    }
  | { readonly is: 'paused'; readonly waitMicros: number; readonly uses: readonly Use[]; readonly share: ShareUse }
  | { readonly is: 'closed' };

/** While the ledger is unknown nobody can say when it will be known; its reader is seconds behind at most. */
const UNKNOWN_LEDGER_RETRY_MS = 1_000;

const names = (rules: readonly Rule[]): readonly LimitName[] => rules.map(({ name }) => name);
const toMs = (micros: number | null): number | null => (micros === null ? null : Math.ceil(micros / 1000));

/** Worked out when they are asked for: of the decisions of a call most are not shown to anybody. */
class Allowed implements Admitted {
  readonly admitted = true;

  constructor(
    private readonly order: Order,
    private readonly verdict: Extract<Verdict, { is: 'admitted' }>,
  ) {}

  get limits(): readonly Standing[] {
    return standings(this.order.rules, this.verdict.uses);
  }
  get shadowed(): readonly LimitName[] {
    return names(this.verdict.shadowed);
  }
}

class AllowedOnShare implements Admitted {
  readonly admitted = true;
  readonly shadowed: readonly LimitName[] = [];

  constructor(
    private readonly order: SharedOrder,
    private readonly verdict: Extract<SharedVerdict, { is: 'admitted' }>,
  ) {}

  get limits(): readonly Standing[] {
    return sharedLimits(this.order, this.verdict);
  }
  get by(): Admitted['by'] {
    return this.verdict.by;
  }
}

const sharedLimits = (order: SharedOrder, { uses, share }: { uses: readonly Use[]; share: ShareUse }): readonly Standing[] => [
  ...standings(order.rules, uses),
  shareStanding(order, share),
];

/** The verdict on an order, in the port's words. @throws AppError `take-closed` */
export function decided(order: Order, verdict: Verdict): Admission {
  if (verdict.is === 'closed') throw takeClosed(order.member);
  if (verdict.is === 'admitted') return new Allowed(order, verdict);
  const limits = standings(order.rules, verdict.uses);
  switch (verdict.is) {
    case 'paused':
      return paused(verdict.waitMicros, limits);
    case 'unknown-ledger':
      return {
        admitted: false,
        limitedBy: 'unknown-ledger',
        policy: null,
        retryAfterMs: UNKNOWN_LEDGER_RETRY_MS,
        limits,
        shadowed: [],
        slot: null,
      };
    case 'refused':
      return {
        admitted: false,
        limitedBy: limitedBy(verdict.by.name),
        policy: verdict.by.name,
        retryAfterMs: toMs(verdict.waitMicros),
        limits,
        shadowed: names(verdict.shadowed),
        slot: null,
      };
  }
}

/** @throws AppError `take-closed` */
export function decidedShared(order: SharedOrder, verdict: SharedVerdict): Admission {
  if (verdict.is === 'closed') throw takeClosed(order.member);
  if (verdict.is === 'admitted') return new AllowedOnShare(order, verdict);
  const limits = sharedLimits(order, verdict);
  if (verdict.is === 'paused') return paused(verdict.waitMicros, limits);
  // alone, a tenant has met the key's own limit and nobody's share
  const alone = verdict.share.busyWeight <= order.weight;
  const policy = verdict.by?.name ?? (alone ? 'upstream-key' : 'fair-share');
  return {
    admitted: false,
    limitedBy: limitedBy(policy),
    policy,
    retryAfterMs: toMs(verdict.waitMicros),
    limits,
    shadowed: [],
    slot: verdict.slot ? kept(verdict.slot) : null,
  };
}

const paused = (waitMicros: number, limits: readonly Standing[]): Admission => ({
  admitted: false,
  limitedBy: 'upstream',
  policy: null,
  retryAfterMs: toMs(waitMicros),
  limits,
  shadowed: [],
  slot: null,
});

const kept = ({ ticket, priority }: Pick<OpenSlot, 'ticket' | 'priority'>): Slot => ({
  ticket,
  graceMs: GRACE_MICROS / 1000,
  promised: priority === 'interactive',
});

function shareStanding({ rules, weight }: SharedOrder, { busyWeight, calls, resetMicros }: ShareUse): Standing {
  const limit = Math.floor((60e9 / rules[0].everyNs) * (weight / busyWeight));
  return {
    name: 'fair-share',
    unit: 'calls',
    limit,
    used: calls,
    remaining: Math.max(0, limit - calls),
    resetMs: Math.ceil(resetMicros / 1000),
    policyWindow: 60,
  };
}

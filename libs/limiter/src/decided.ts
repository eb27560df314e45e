import { takeClosed } from './errors';
import type { Admission } from './port';
import { limitedBy, standings, type Order, type Rule, type Use } from './rules';

/** What an adapter answers to an order; `uses` are in the order of its rules. */
export type Verdict =
  | { readonly is: 'admitted'; readonly uses: readonly Use[] }
  | { readonly is: 'refused'; readonly by: Rule; readonly waitMicros: number | null; readonly uses: readonly Use[] }
  | { readonly is: 'unknown-ledger'; readonly uses: readonly Use[] }
  | { readonly is: 'closed' };

/** While the ledger is unknown nobody can say when it will be known; its reader is seconds behind at most. */
const UNKNOWN_LEDGER_RETRY_MS = 1_000;

/** The verdict on an order, in the port's words. @throws AppError `take-closed` */
export function decided(order: Order, verdict: Verdict): Admission {
  if (verdict.is === 'closed') throw takeClosed(order.member);
  const limits = standings(order.rules, verdict.uses);
  switch (verdict.is) {
    case 'admitted':
      return { admitted: true, limits, shadowed: [] };
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
        retryAfterMs: verdict.waitMicros === null ? null : Math.ceil(verdict.waitMicros / 1000),
        limits,
        shadowed: [],
        slot: null,
      };
  }
}

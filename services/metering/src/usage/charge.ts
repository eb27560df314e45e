import type { CallRecord } from './call';

/** Where a charge is to be found again. */
export interface ChargeView {
  /** UTC day in whose sums it is. */
  readonly day: string;
  /** The month whose invoice has it. */
  readonly period: string;
  /** The month in which the call was made, where that had been closed already. */
  readonly adjusts: string | null;
}

/** What the tenant pays for; null: nothing, or the call was a test token's, whose credits are on no invoice. */
export function chargeOf(records: readonly CallRecord[]): ChargeView | null {
  const charged = records.find(({ counts, kind, charged_credits, mode }) => counts && (kind === 'served' || kind === 'settled') && charged_credits > 0 && mode === 'live');
  return charged === undefined ? null : { day: charged.day, period: charged.day.slice(0, 7), adjusts: charged.adjusts };
}

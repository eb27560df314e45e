import { integer, type Settings } from '@weir/service-host';

export interface MeteringConfig {
  readonly unsettledAfterMs: number;
  readonly unsettledEveryMs: number;
  readonly invoiceGraceMs: number;
}

export const settings: Settings<MeteringConfig> = {
  unsettledAfterMs: integer(
    'WEIR_UNSETTLED_AFTER_MS',
    'How long a hold waits for its settlement before it counts as unsettled, ms',
    120_000,
    { min: 1 },
  ),
  unsettledEveryMs: integer('WEIR_UNSETTLED_EVERY_MS', 'How often to look for such holds, ms', 5_000, { min: 10 }),
  invoiceGraceMs: integer('WEIR_INVOICE_GRACE_MS', "How long after a month's end its invoices wait for late usage before they can be made final, ms", 3_600_000, { min: 0 }),
};

import { choice, integer, optionalText, type Settings } from '@weir/service-host';
import { z } from 'zod';
import { SIGNING_KEY } from './webhook/signing-key';

export interface MeteringConfig {
  readonly unsettledAfterMs: number;
  readonly unsettledEveryMs: number;
  readonly upstreamLedgerUrl: string | undefined;
  readonly reconcileEveryMs: number;
  readonly reconcileAfterMs: number;
  readonly usageCheckEveryMs: number;
  readonly usageKeptMonths: number;
  readonly usageLargeRows: number;
  readonly invoiceGraceMs: number;
  readonly webhookKey: string | undefined;
  readonly webhookKeyFile: string | undefined;
  readonly webhookAddresses: 'public' | 'any';
  readonly webhooksEveryMs: number;
}

export const settings: Settings<MeteringConfig> = {
  unsettledAfterMs: integer(
    'WEIR_UNSETTLED_AFTER_MS',
    'How long a hold waits for its settlement before it counts as unsettled, ms',
    120_000,
    { min: 1 },
  ),
  unsettledEveryMs: integer('WEIR_UNSETTLED_EVERY_MS', 'How often to look for such holds, ms', 5_000, { min: 10 }),
  upstreamLedgerUrl: optionalText('WEIR_UPSTREAM_LEDGER_URL', "Where the upstream's own account can be read: the simulator. A real upstream's statements are imported"),
  reconcileEveryMs: integer('WEIR_RECONCILE_EVERY_MS', "How often our records are compared with the upstream's account, ms", 60_000, { min: 10 }),
  reconcileAfterMs: integer('WEIR_RECONCILE_AFTER_MS', 'How old a call is when it is compared: usage may wait for a broker that is away for as long, ms', 900_000, { min: 0 }),
  usageCheckEveryMs: integer('WEIR_USAGE_CHECK_EVERY_MS', 'How often sums of usage are compared with their records, ms', 21_600_000, { min: 10 }),
  usageKeptMonths: integer('WEIR_USAGE_KEPT_MONTHS', 'Whole months before this one of which each record of usage is kept; sums and invoices are kept for ever', 25, { min: 2, max: 1_200 }),
  usageLargeRows: integer('WEIR_USAGE_PARTITION_ROWS', "From how many records on a tenant's own table of them is partitioned by month", 20_000_000, { min: 1 }),
  invoiceGraceMs: integer('WEIR_INVOICE_GRACE_MS', "How long after a month's end its invoices wait for late usage before they can be made final, ms", 3_600_000, { min: 0 }),
  webhookKey: {
    ...optionalText('WEIR_WEBHOOK_KEY', 'The key that the secrets of webhooks are computed from, 64 hexadecimal digits; the same for every replica'),
    schema: z.string().regex(SIGNING_KEY, 'not 64 hexadecimal digits').optional(),
  },
  webhookKeyFile: optionalText('WEIR_WEBHOOK_KEY_FILE', 'Where that key stands when it is not set, made with mode 0600 when missing; webhook.key in WEIR_DATA_DIR when unset'),
  webhookAddresses: choice('WEIR_WEBHOOK_ADDRESSES', 'Where webhooks may go: to https addresses of the public internet, or anywhere (for development alone)', ['public', 'any'], 'public'),
  webhooksEveryMs: integer('WEIR_WEBHOOKS_EVERY_MS', 'How often to look for deliveries that are due, ms', 500, { min: 10 }),
};

import { integer, type Settings } from '@weir/service-host';

export interface MeteringConfig {
  readonly unsettledAfterMs: number;
  readonly unsettledEveryMs: number;
}

export const settings: Settings<MeteringConfig> = {
  unsettledAfterMs: integer(
    'WEIR_UNSETTLED_AFTER_MS',
    'How long a hold waits for its settlement before it counts as unsettled, ms',
    120_000,
    { min: 1 },
  ),
  unsettledEveryMs: integer('WEIR_UNSETTLED_EVERY_MS', 'How often to look for such holds, ms', 5_000, { min: 10 }),
};

import { catalogSettings, integer, limiterSettings, type CatalogConfig, type LimiterConfig, type Settings } from '@weir/service-host';

export interface RateLimiterConfig extends CatalogConfig, LimiterConfig {
  readonly demandRetentionMs: number;
}

export const settings: Settings<RateLimiterConfig> = {
  ...catalogSettings,
  ...limiterSettings,
  demandRetentionMs: integer(
    'WEIR_DEMAND_RETENTION_MS',
    'How long the demand of a minute is kept, for the shares of a key',
    7_200_000,
    { min: 60_000 },
  ),
};

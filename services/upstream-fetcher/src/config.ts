import {
  catalogSettings,
  choice,
  integer,
  keyEncryptionSettings,
  limiterSettings,
  optionalUrl,
  type CatalogConfig,
  type KeyEncryptionConfig,
  type LimiterConfig,
  type Settings,
} from '@weir/service-host';
import { jobSettings, type JobsConfig } from './jobs/job-settings';
import { snapshotSettings, type SnapshotConfig } from './snapshot/snapshot-settings';
import { usageSettings, type UsageConfig } from './usage/usage-settings';

export interface FetcherConfig extends CatalogConfig, KeyEncryptionConfig, LimiterConfig, JobsConfig, SnapshotConfig, UsageConfig {
  readonly upstreamUrl: string | undefined;
  readonly simulatorUrl: string | undefined;
  readonly upstreamTimeoutMs: number;
  readonly upstreamConnections: number;
  readonly maxBodyBytes: number;
  readonly cache: 'on' | 'off';
  readonly cacheBytes: number;
  readonly staleIfErrorS: number;
  readonly limiterTimeoutMs: number;
  readonly replicas: number;
  readonly demandEveryMs: number;
  readonly holdTimeoutMs: number;
  readonly usageBacklog: number;
}

export const settings: Settings<FetcherConfig> = {
  ...catalogSettings,
  ...keyEncryptionSettings,
  ...limiterSettings,
  ...jobSettings,
  ...snapshotSettings,
  ...usageSettings,
  upstreamUrl: optionalUrl('WEIR_UPSTREAM_URL', "Where live calls go; the catalog's own address when unset"),
  simulatorUrl: optionalUrl('WEIR_SIMULATOR_URL', 'Where calls of test tokens go; unset, they are refused'),
  upstreamTimeoutMs: integer(
    'WEIR_UPSTREAM_TIMEOUT_MS',
    'Longest that one attempt may take, waiting for a connection included',
    10_000,
    { min: 10, max: 300_000 },
  ),
  upstreamConnections: integer('WEIR_UPSTREAM_CONNECTIONS', 'Connections to the upstream at most; further calls wait', 1_000, {
    min: 1,
  }),
  maxBodyBytes: integer(
    'WEIR_MAX_BODY',
    'Largest answer taken from the upstream, in bytes, before and after decompression',
    8_388_608,
    { min: 1_024 },
  ),
  cacheBytes: integer('WEIR_CACHE_BYTES', 'Size of the response cache in memory, where WEIR_LIMITER is memory', 134_217_728, {
    min: 1_048_576,
  }),
  cache: choice('WEIR_CACHE', 'Whether answers are kept at all', ['on', 'off'], 'on'),
  staleIfErrorS: integer(
    'WEIR_STALE_IF_ERROR',
    'How many seconds past its lifetime an answer stands in for one that the upstream fails to give; 0 never',
    3_600,
    { min: 0, max: 86_400 },
  ),
  limiterTimeoutMs: integer(
    'WEIR_LIMITER_TIMEOUT_MS',
    'How long Redis may take for one decision on limits before it is made here',
    50,
    { min: 1, max: 1_000 },
  ),
  demandEveryMs: integer('WEIR_DEMAND_EVERY_MS', 'How often it is published who asked which key for how much', 15_000, { min: 50, max: 60_000 }),
  replicas: integer(
    'WEIR_REPLICAS',
    'Processes of this service at least, among which limits are divided while Redis is away; more are heard of by their heartbeats',
    1,
    { min: 1, max: 10_000 },
  ),
  holdTimeoutMs: integer(
    'WEIR_HOLD_TIMEOUT_MS',
    'How long the bus may take to acknowledge a hold before the call is refused',
    2_000,
    { min: 50 },
  ),
  usageBacklog: integer(
    'WEIR_USAGE_BACKLOG',
    'Settlements kept in memory while the bus is slow; past them calls are refused',
    50_000,
    { min: 100 },
  ),
};

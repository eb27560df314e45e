import { integer, optionalText, type Settings } from '@weir/service-host';

export interface UsageConfig {
  readonly usageBacklogDir: string | undefined;
  readonly usageBacklogBytes: number;
}

export const usageSettings: Settings<UsageConfig> = {
  usageBacklogDir: optionalText(
    'WEIR_USAGE_BACKLOG_DIR',
    'Directory on a durable volume of this process alone, where usage records wait while the bus is away; unset, calls are refused then',
  ),
  usageBacklogBytes: integer('WEIR_USAGE_BACKLOG_BYTES', 'Size of that backlog at most; past it calls are refused', 268_435_456, { min: 65_536 }),
};

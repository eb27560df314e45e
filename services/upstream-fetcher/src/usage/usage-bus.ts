import type { Bus } from '@weir/bus';
import type { Health } from '@weir/service-host';
import { Gauge, type Registry } from 'prom-client';
import { openBacklog } from './backlog';
import { backlogged } from './backlogged-bus';
import type { UsageConfig } from './usage-settings';

export interface UsageBusOptions {
  readonly bus: Bus;
  readonly config: UsageConfig & { readonly holdTimeoutMs: number };
  readonly health: Health;
  readonly registry: Registry;
  readonly onError: (error: Error) => void;
}

/** Where usage records go: to the bus, and with a durable volume to the disk while the bus is away (M3). */
export function openUsageBus({ bus, config, health, registry, onError }: UsageBusOptions): Pick<Bus, 'publish'> & { close(): Promise<void> } {
  const { usageBacklogDir: directory, usageBacklogBytes: maxBytes, holdTimeoutMs } = config;
  if (directory === undefined) return { publish: (records) => bus.publish(records), close: async () => {} };
  // within half the time that a hold has, so that the other half is left for the disk
  const backed = backlogged({ bus, backlog: openBacklog({ directory, maxBytes }), patienceMs: holdTimeoutMs / 2, onError });
  health.add('usage backlog', () => (backed.away ? { state: 'degraded', detail: `the bus is away; ${backed.bytes} bytes of usage records wait on the disk` } : { state: 'ok' }));
  new Gauge({
    name: 'weir_usage_backlog_bytes',
    help: 'Usage records on the disk that the bus has not taken',
    registers: [registry],
    collect() {
      this.set(backed.bytes);
    },
  });
  return backed;
}

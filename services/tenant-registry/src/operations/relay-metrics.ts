import { relayLag } from '@weir/relay';
import type { Sql } from '@weir/tenancy';
import { Gauge, type Registry } from 'prom-client';

/**
 * How far the relays are behind, asked when somebody looks: in total, and of each tenant that waits.
 *
 * @param most tenants that have series of their own; an outage of the bus lets all of them wait, and a scrape must bear it
 */
export function relayMetrics(databases: readonly Sql[], registry: Registry, most: number): void {
  let asking: Promise<void> | undefined;
  // one question for all gauges of a look
  const collect = () => (asking ??= ask().finally(() => (asking = undefined)));
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]) => new Gauge<L>({ name, help, labelNames, registers: [registry], collect });

  const waiting = gauge('weir_relay_tenants_waiting', 'Tenants with something that is not published yet');
  const reEmitting = gauge('weir_relay_tenants_re_emitting', 'Those of them that have nothing new and are being published once more');
  const events = gauge('weir_relay_lag_events', 'Events in the logs that are not published yet');
  const seconds = gauge('weir_relay_lag_seconds', 'How long the oldest of them has waited');
  const tenantEvents = gauge('weir_relay_tenant_lag_events', 'The same of each tenant that waits; one that does not has none', 'tenant');
  const tenantSeconds = gauge('weir_relay_tenant_lag_seconds', 'The same of each tenant that waits; one that does not has none', 'tenant');
  const unnamed = gauge('weir_relay_tenants_unnamed', 'Tenants that wait and are beyond those that have series of their own (WEIR_RELAY_LAG_TENANTS)');

  async function ask(): Promise<void> {
    const lag = await relayLag(databases, { most });
    waiting.set(lag.tenants);
    reEmitting.set(lag.reEmitting);
    events.set(lag.events);
    seconds.set(lag.seconds);
    unnamed.set(lag.tenants - lag.worst.length);
    tenantEvents.reset();
    tenantSeconds.reset();
    for (const { tenant, ...behind } of lag.worst) {
      tenantEvents.set({ tenant }, behind.events);
      tenantSeconds.set({ tenant }, behind.seconds);
    }
  }
}

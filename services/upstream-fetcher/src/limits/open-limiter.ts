import { presence } from '@weir/contracts';
import { newUuid } from '@weir/kernel';
import { failoverStore, type LimiterStore } from '@weir/limiter';
import { openLimiterStore, type ServiceRuntime } from '@weir/service-host';
import { Counter, Gauge } from 'prom-client';
import type { FetcherConfig } from '../config';
import { Replicas } from './replicas';

export interface Limiter {
  readonly store: LimiterStore;
  /** Whether the common store is known to be away. */
  readonly away: () => boolean;
  /** Says to the others that this process is there. */
  start(): void;
  close(): Promise<void>;
}

/** Where limits are counted: in the store that is given or in this process; else in Redis, with a part of it here while that is away. */
export function openLimiter(runtime: ServiceRuntime, config: FetcherConfig, given: LimiterStore | undefined): Limiter {
  const { states, bus, clock, log, metrics, health, name } = runtime;
  if (given !== undefined) return { store: given, away: () => false, start: () => undefined, close: async () => undefined };
  const common = openLimiterStore(config, (error) => log.warn({ err: error }, 'limiter store'));
  if (common.probe === undefined) return { store: common.store, away: () => false, start: () => undefined, close: common.close };

  const heartbeats = states.table(presence);
  const onError = (error: unknown) => log.warn({ err: error }, 'presence');
  const replicas = new Replicas({ bus, heartbeats, instanceId: newUuid(), service: name, atLeast: config.replicas, clock, onError });
  const registers = [metrics];
  const outages = new Counter({ name: 'weir_limiter_outages_total', help: 'Times that the limiter’s store went away', registers });
  const store = failoverStore({
    store: common.store,
    probe: common.probe,
    timeoutMs: config.limiterTimeoutMs,
    replicas: () => replicas.count,
    clock,
    onChange(away, cause) {
      if (away) outages.inc();
      if (away) log.error({ err: cause, replicas: replicas.count }, 'the limiter’s store is away: limits are decided here, on a share of them');
      else log.info('the limiter’s store is back');
    },
  });
  new Gauge({
    name: 'weir_limiter_away',
    help: '1 while the limiter’s store is away and limits are decided in this process alone',
    registers,
    collect() {
      this.set(store.away ? 1 : 0);
    },
  });
  new Gauge({
    name: 'weir_limiter_replicas',
    help: 'Processes among which a shared key is divided while the limiter’s store is away',
    registers,
    collect() {
      this.set(replicas.count);
    },
  });
  new Counter({
    name: 'weir_limiter_local_decisions_total',
    help: 'Decisions on limits made without the limiter’s store',
    registers,
    collect() {
      this.reset();
      this.inc(store.localDecisions);
    },
  });
  health.add('limiter', () =>
    store.away ? { state: 'degraded', detail: 'the limiter’s store is away: limits are decided here, on a share of them' } : { state: 'ok' },
  );
  return {
    store,
    away: () => store.away,
    start: () => replicas.start(),
    async close() {
      await replicas.stop();
      await store.close();
      await common.close();
    },
  };
}

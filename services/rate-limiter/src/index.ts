import { budgetState, keyCeilingState, planState, quotaState, tenantState } from '@weir/contracts';
import type { LimiterStore } from '@weir/limiter';
import { openCatalogs, openLimiterStore, type ServiceDefinition } from '@weir/service-host';
import { Gauge } from 'prom-client';
import { settings, type RateLimiterConfig } from './config';
import { DemandConsumer, DemandProjection } from './demand/demand.projection';
import { SharesController } from './demand/shares.http';
import { SharesService } from './demand/shares.service';
import { KeyCeilingController } from './key-ceiling/key-ceiling.http';
import { KeyCeilingReactor } from './key-ceiling/key-ceiling.reactor';
import { KeyCeilings } from './key-ceiling/key-ceiling.service';
import { KeysSeen } from './key-ceiling/keys-seen';
import { UpstreamRefusals } from './key-ceiling/upstream-refusals.projection';
import { LimitNames } from './limit-policy/limit-names';
import { LimitPolicyService } from './limit-policy/limit-policy.service';
import { LimitsController } from './limit-policy/limits.http';

class RateLimiterModule {}

const RAISE_EVERY_MS = 10_000;

/**
 * Limit policies, ceilings of upstream keys, demand: who is limited by what. Decisions happen in the limiter's store, by the library
 * that this service shares with the fetcher, and go on while it is down.
 *
 * @param ports.limiter takes the place of the configured store, and is its owner's to close
 */
export const define = (ports: { limiter?: LimiterStore } = {}): ServiceDefinition<RateLimiterConfig> => ({
  name: 'rate-limiter',
  title: 'limit policies and overrides, ceilings and shares of upstream keys',
  settings,
  create(runtime, config) {
    const { work, events, states, clock, log, metrics, onStop } = runtime;
    const tables = {
      tenants: states.table(tenantState),
      plans: states.table(planState),
      quotas: states.table(quotaState),
      budgets: states.table(budgetState),
      ceilings: states.table(keyCeilingState),
    };
    const limiter = ports.limiter ?? openStore();
    const demand = new DemandProjection(work, clock, config.demandRetentionMs);
    const refusals = new UpstreamRefusals(work);
    const catalogs = openCatalogs(config, undefined).map(({ catalog }) => catalog);
    const ceilings = new KeyCeilings(events, tables.ceilings, clock, catalogs);
    const there = new LimitNames(catalogs.flatMap(({ endpoints }) => endpoints.map(({ id }) => id)));
    const keys = new KeysSeen(tables.ceilings, limiter, clock);

    new Gauge({
      name: 'weir_key_ceiling_share',
      help: 'Of an upstream key that was found to give less than is configured: how much of that it gives',
      labelNames: ['key'],
      registers: [metrics],
      collect() {
        this.reset();
        for (const { keyId, perMinute, configured } of tables.ceilings.values()) {
          if (perMinute < configured.perMinute) this.set({ key: keyId }, perMinute / configured.perMinute);
        }
      },
    });

    function openStore(): LimiterStore {
      const { store, close } = openLimiterStore(config, (error) => log.warn({ err: error }, 'limiter store'));
      onStop(close);
      return store;
    }

    return {
      module: {
        module: RateLimiterModule,
        controllers: [LimitsController, SharesController, KeyCeilingController, KeyCeilingReactor, DemandConsumer],
        providers: [
          { provide: LimitPolicyService, useValue: new LimitPolicyService(events, tables, limiter, keys, there, demand, clock) },
          { provide: SharesService, useValue: new SharesService(demand, refusals, tables, keys, clock) },
          { provide: KeyCeilings, useValue: ceilings },
          { provide: UpstreamRefusals, useValue: refusals },
          { provide: DemandProjection, useValue: demand },
        ],
      },
      // once the ceilings are known
      start: async () => {
        const raising = setInterval(() => void ceilings.raise().catch((error: unknown) => log.warn({ err: error }, 'key ceilings')), RAISE_EVERY_MS).unref();
        onStop(() => clearInterval(raising));
      },
    };
  },
});

export const definition = define();

import { keyCeilingState, planState, quotaState, tenantState } from '@weir/contracts';
import type { LimiterStore } from '@weir/limiter';
import { openLimiterStore, type ServiceDefinition } from '@weir/service-host';
import { settings, type RateLimiterConfig } from './config';
import { DemandConsumer, DemandProjection } from './demand/demand.projection';
import { SharesController } from './demand/shares.http';
import { SharesService } from './demand/shares.service';
import { KeyCeilingConsumer, KeyCeilings } from './key-ceiling/key-ceiling.reactor';
import { UpstreamRefusals, UpstreamSignalConsumer } from './key-ceiling/upstream-refusals.projection';
import { LimitPolicyService } from './limit-policy/limit-policy.service';
import { LimitsController } from './limit-policy/limits.http';

class RateLimiterModule {}

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
    const { work, events, states, clock, log } = runtime;
    const tables = {
      tenants: states.table(tenantState),
      plans: states.table(planState),
      quotas: states.table(quotaState),
      ceilings: states.table(keyCeilingState),
    };
    const limiter = ports.limiter ?? openStore();
    const demand = new DemandProjection(work, clock, config.demandRetentionMs);
    const refusals = new UpstreamRefusals(work);

    function openStore(): LimiterStore {
      const { store, close } = openLimiterStore(config, (error) => log.warn({ err: error }, 'limiter store'));
      runtime.onStop(close);
      return store;
    }

    return {
      module: {
        module: RateLimiterModule,
        controllers: [LimitsController, SharesController, KeyCeilingConsumer, UpstreamSignalConsumer, DemandConsumer],
        providers: [
          { provide: LimitPolicyService, useValue: new LimitPolicyService(events, tables, limiter, clock) },
          { provide: SharesService, useValue: new SharesService(demand, refusals, tables, limiter, clock) },
          { provide: KeyCeilings, useValue: new KeyCeilings(work) },
          { provide: UpstreamRefusals, useValue: refusals },
          { provide: DemandProjection, useValue: demand },
        ],
      },
    };
  },
});

export const definition = define();

import { eventLog } from '@weir/event-store';
import { startRelay } from '@weir/relay';
import type { ServiceDefinition } from '@weir/service-host';
import { collectBundle, createPool, provisioner } from '@weir/tenancy';
import { settings, type RegistryConfig } from './config';
import { openDataSource, registryWork } from './database';
import { MemberController } from './member/member.http';
import { MemberService } from './member/member.service';
import { Migrations, MigrationsController } from './operations/migrations.http';
import { ParkedController, ParkedMessages } from './operations/parked.http';
import { Provisioning } from './operations/provisioning';
import { relayMetrics } from './operations/relay-metrics';
import { PlanController } from './plan/plan.http';
import { PlanService } from './plan/plan.service';
import { IsolationReport } from './tenant/isolation';
import { TenantController } from './tenant/tenant.http';
import { TenantService } from './tenant/tenant.service';
import { ApiTokenController } from './token/api-token.http';
import { ApiTokenService } from './token/api-token.service';

export { migrateSettings } from './config';

class TenantRegistryModule {}

/** Tenants, plans, tokens, members, key modes; hosts the relay that publishes every log. */
export const definition: ServiceDefinition<RegistryConfig> = {
  name: 'tenant-registry',
  title: 'tenants, plans, roles, tokens, key modes, schemas; and the relay',
  settings,
  async create(runtime, config) {
    const { common, log } = runtime;
    const source = await openDataSource(common.postgresUrl, common.postgresPoolSize);
    const migrator = createPool({ url: config.migratorUrl, name: 'tenant-registry/migrator', max: 4 });
    const bundle = collectBundle();
    const provision = provisioner(migrator, bundle);

    const work = registryWork(source, runtime.work.direct);
    const events = eventLog(work);
    const plans = new PlanService(events, work);
    const tenants = new TenantService(events, work, plans);
    const tokens = new ApiTokenService(events, work, tenants);
    const members = new MemberService(work, tenants, plans);
    const provisioning = new Provisioning(events, work, provision, tenants, plans, (error) => log.error({ err: error }, 'provisioning'));

    if (common.roles.includes('relay')) {
      const relay = startRelay({ work: runtime.work, bus: runtime.bus, onError: (error, tenant) => log.warn({ err: error, tenant }, 'relay') });
      runtime.onStop(() => relay.stop());
      relayMetrics(runtime.work.direct, runtime.metrics);
    }
    runtime.onStop(async () => {
      await source.destroy();
      await migrator.end();
    });

    return {
      module: {
        module: TenantRegistryModule,
        controllers: [TenantController, ApiTokenController, PlanController, MemberController, ParkedController, MigrationsController],
        providers: [
          { provide: TenantService, useValue: tenants },
          { provide: ApiTokenService, useValue: tokens },
          { provide: PlanService, useValue: plans },
          { provide: MemberService, useValue: members },
          { provide: Provisioning, useValue: provisioning },
          { provide: IsolationReport, useValue: new IsolationReport(runtime.work, bundle) },
          { provide: ParkedMessages, useValue: new ParkedMessages(runtime.work) },
          { provide: Migrations, useValue: new Migrations(runtime.work, provision, bundle) },
        ],
      },
      start: async () => {
        await plans.seed(runtime.clock());
        await provisioning.resume();
      },
    };
  },
};

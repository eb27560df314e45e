import { closeDataSources, entityWork, openDataSources } from '@weir/entities';
import { eventLog } from '@weir/event-store';
import type { ServiceDefinition } from '@weir/service-host';
import { HOME, collectBundle, createPool, importer, migrator, mover, openClusters, provisioner, purger, registerClusters, withoutLogin, type Databases } from '@weir/tenancy';
import { settings, type RegistryConfig } from './config';
import { ENTITIES } from './read-models';
import { MemberController } from './member/member.http';
import { MemberService } from './member/member.service';
import { Archives } from './operations/archives';
import { ArchivesController, partRoutes } from './operations/archives.http';
import { MigrationOrders } from './operations/migration-orders';
import { Migrations, MigrationsController } from './operations/migrations.http';
import { ParkedMessages } from './operations/parked-messages';
import { parkedMetrics } from './operations/parked-metrics';
import { ParkedController } from './operations/parked.http';
import { Operations } from './operations/operations';
import { Placing } from './operations/placing';
import { Provisioning } from './operations/provisioning';
import { Purging } from './operations/purging';
import { Receipts } from './operations/receipts';
import { RelayLagController, RelayLags } from './operations/relay-lag.http';
import { relayMetrics } from './operations/relay-metrics';
import { startRelays } from './operations/relays';
import { Topics, TopicsController } from './operations/topics.http';
import { PlanController } from './plan/plan.http';
import { PlanService } from './plan/plan.service';
import { IsolationReport } from './tenant/isolation';
import { TenantController } from './tenant/tenant.http';
import { TenantService } from './tenant/tenant.service';
import { ApiTokenController } from './token/api-token.http';
import { ApiTokenService } from './token/api-token.service';

export { migrateSettings } from './config';

class TenantRegistryModule {}

/** Sessions of the migrator, at home and at the clusters. */
function openMigrator({ migratorUrl, migratorClusters }: RegistryConfig, clusters: Readonly<Record<string, string>>): Databases {
  const own = { url: migratorUrl, name: 'tenant-registry/migrator', max: 6 };
  const named = Object.keys(migratorClusters).length > 0 ? migratorClusters : Object.fromEntries(Object.entries(clusters).map(([name, url]) => [name, withoutLogin(url)]));
  return openClusters(createPool(own), named, own, true);
}

/** Tenants, plans, tokens, members, key modes; hosts the relay that publishes every log. */
export const definition: ServiceDefinition<RegistryConfig> = {
  name: 'tenant-registry',
  title: 'tenants, plans, roles, tokens, key modes, schemas; and the relay',
  settings,
  async create(runtime, config) {
    const { common, log } = runtime;
    const sources = await openDataSources(common, ENTITIES);
    const databases = openMigrator(config, common.clusters);
    const bundle = collectBundle();
    const provision = provisioner(databases, bundle);

    const work = entityWork('tenant-registry', sources, runtime.work, runtime.needs);
    const events = eventLog(work);
    const plans = new PlanService(events, work);
    const tenants = new TenantService(events, work, plans);
    const tokens = new ApiTokenService(events, work, tenants);
    const members = new MemberService(work, tenants, plans);
    const report = (what: string) => (error: Error) => log.error({ err: error }, what);
    const operations = new Operations(work, tenants, report('operation'));
    const receipts = new Receipts(events, work);
    const clusters = [...databases.clusters.keys()];
    const provisioning = new Provisioning(operations, receipts, provision, tenants, plans, clusters);
    const placing = new Placing(operations, mover(databases, bundle), tenants, clusters);
    const purging = new Purging(operations, receipts, purger(databases), tenants, work);
    const archives = new Archives(databases, importer(databases.home, bundle), tenants, work);
    const migrations = new Migrations(databases, bundle, migrator(databases, bundle), new MigrationOrders(work), report('migrations'));

    parkedMetrics(runtime.work.direct, runtime.metrics);
    const everywhere = [HOME, ...clusters].map((cluster) => runtime.work.of(cluster).direct);
    if (common.roles.includes('relay')) {
      startRelays(runtime);
      relayMetrics(everywhere, runtime.metrics, config.lagTenants);
    }
    runtime.onStop(async () => {
      await migrations.stop();
      await closeDataSources(sources);
      await Promise.all([databases.home, ...databases.clusters.values()].map((pool) => pool.end()));
    });

    return {
      module: {
        module: TenantRegistryModule,
        controllers: [TenantController, ApiTokenController, PlanController, MemberController, ParkedController, TopicsController, RelayLagController, MigrationsController, ArchivesController],
        providers: [
          { provide: TenantService, useValue: tenants },
          { provide: ApiTokenService, useValue: tokens },
          { provide: PlanService, useValue: plans },
          { provide: MemberService, useValue: members },
          { provide: Operations, useValue: operations },
          { provide: Provisioning, useValue: provisioning },
          { provide: Placing, useValue: placing },
          { provide: Purging, useValue: purging },
          { provide: IsolationReport, useValue: new IsolationReport(runtime.work, bundle) },
          { provide: ParkedMessages, useValue: new ParkedMessages(runtime.work) },
          { provide: Topics, useValue: new Topics(everywhere) },
          { provide: RelayLags, useValue: new RelayLags(everywhere, tenants) },
          { provide: Archives, useValue: archives },
          { provide: Migrations, useValue: migrations },
        ],
      },
      routes: partRoutes(archives, runtime.access, log),
      start: async () => {
        await plans.seed(runtime.clock());
        await registerClusters(databases).catch(report('clusters'));
        await placing.settle().catch(report('move'));
        await operations.resume();
      },
    };
  },
};

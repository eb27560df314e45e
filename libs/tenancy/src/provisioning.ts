import type { Pool } from 'pg';
import type { TenantId } from '@weir/kernel';
import type { Bundle } from './bundle';
import { HOME, Whereabouts, databasesOf, type Databases } from './clusters';
import { POOLED, TenantSchema, ensureHome, lockHome, openLog } from './home';
import { migrator } from './migrator';
import { schemaOf } from './names';
import { transaction } from './transaction';

export type PlacementKind = 'schema' | 'pooled';

/** Where a tenant lives: a schema of its own or the pooled one at home, or a schema of its own in another database. */
export type Placement = { readonly kind: PlacementKind } | { readonly kind: 'database'; readonly cluster: string };

export interface Provisioner {
  /**
   * Role, schema, tables and an open log for a tenant. Each database does its part in one transaction, home last; again for a tenant
   * that has them changes nothing.
   */
  provision(tenant: TenantId, placement: Placement | PlacementKind): Promise<{ schema: string }>;
  /** Applies what the release has and the homes lack; answers how many homes were changed. */
  migrateAll(progress?: (done: number, of: number) => void): Promise<number>;
}

/** @param pools sessions of the migrator, which owns the schemas; services never hold it except the registry, for this alone */
export function provisioner(pools: Pool | Databases, bundle: Bundle): Provisioner {
  const { home, clusters } = databasesOf(pools);
  const places = new Whereabouts(home, clusters);
  const schema = new TenantSchema(bundle);

  async function furnish(pool: Pool, tenant: TenantId, kind: Placement['kind'], name: string): Promise<void> {
    await transaction(pool, async (client) => {
      await lockHome(client, name);
      const { rows } = await client.query('select 1 from weir.placements where tenant_id = $1', [tenant]);
      if (rows.length > 0) return;
      await ensureHome(client, name, schema);
      await client.query('insert into weir.placements (tenant_id, kind, schema_name) values ($1, $2, $3)', [tenant, kind, name]);
      await openLog(client, tenant, name);
    });
  }

  return {
    async provision(tenant, at) {
      const placement = typeof at === 'string' ? { kind: at } : at;
      const name = placement.kind === 'pooled' ? POOLED : schemaOf(tenant);
      const cluster = placement.kind === 'database' ? placement.cluster : HOME;
      await furnish(places.of(cluster), tenant, placement.kind, name);
      if (cluster !== HOME) {
        await home.query(`insert into weir.placements (tenant_id, kind, elsewhere, schema_name) values ($1, 'database', $2, $3) on conflict do nothing`, [
          tenant,
          cluster,
          name,
        ]);
      }
      return { schema: name };
    },

    migrateAll: async (progress) => (await migrator(pools, bundle).run(progress === undefined ? {} : { progress })).migrated,
  };
}

import type { Pool, PoolClient } from 'pg';
import type { TenantId } from '@weir/kernel';
import type { Bundle } from './bundle';
import { SERVICE_GROUP, schemaOf } from './names';
import { identifier } from './sql';

export type PlacementKind = 'schema' | 'pooled';

const POOLED = 'weir_pooled';

export interface Provisioner {
  /** Role, schema, tables and an open log for a tenant, in one transaction; again for one that has them changes nothing. */
  provision(tenant: TenantId, kind: PlacementKind): Promise<{ schema: string }>;
  /** Applies what the release has and the placements lack; answers how many schemas were changed. */
  migrateAll(progress?: (done: number, of: number) => void): Promise<number>;
}

/** @param pool sessions of the migrator, which owns the schemas; services never hold it except the registry, for this alone */
export function provisioner(pool: Pool, bundle: Bundle): Provisioner {
  const release = bundle.tenant.map((migration) => migration.id);

  async function migrate(client: PoolClient, schema: string, role: string, applied: readonly string[]): Promise<void> {
    await client.query(`set local search_path = ${identifier(schema)}`);
    await client.query("select set_config('weir.provisioning_role', $1, true)", [role]);
    for (const migration of bundle.tenant) {
      if (!applied.includes(migration.id)) await client.query(migration.sql);
    }
  }

  async function ensureHome(client: PoolClient, schema: string): Promise<void> {
    const { rows } = await client.query('select 1 from pg_roles where rolname = $1', [schema]);
    if (rows.length === 0) {
      await client.query(`create role ${identifier(schema)} nologin noinherit`);
      // members may become the tenant, and are nothing of it before they do
      await client.query(`grant ${identifier(schema)} to ${SERVICE_GROUP} with inherit false, set true`);
    }
    const created = await client.query('select 1 from pg_namespace where nspname = $1', [schema]);
    if (created.rows.length > 0) return;
    await client.query(`create schema ${identifier(schema)}`);
    await client.query(`grant usage on schema ${identifier(schema)} to ${identifier(schema)}`);
    await migrate(client, schema, schema, []);
  }

  return {
    async provision(tenant, kind) {
      const schema = kind === 'pooled' ? POOLED : schemaOf(tenant);
      await transaction(pool, async (client) => {
        await client.query('select pg_advisory_xact_lock(hashtextextended($1, 8))', [schema]);
        const { rows } = await client.query('select 1 from weir.placements where tenant_id = $1', [tenant]);
        if (rows.length > 0) return;
        await ensureHome(client, schema);
        await client.query(
          'insert into weir.placements (tenant_id, kind, schema_name, role_name, applied) values ($1, $2, $3, $3, $4)',
          [tenant, kind, schema, release],
        );
        await client.query("select set_config('weir.tenant_id', $1, true)", [tenant]);
        await client.query(
          `insert into ${identifier(schema)}.log_heads (tenant_id, chain_hash) values ($1, sha256(convert_to(weir.netstring('weir-chain-1') || weir.netstring($1), 'UTF8')))`,
          [tenant],
        );
      });
      return { schema };
    },

    async migrateAll(progress) {
      const { rows } = await pool.query<{ schema_name: string; applied: string[] }>(
        'select distinct schema_name, applied from weir.placements where not (applied @> $1)',
        [release],
      );
      for (const [index, home] of rows.entries()) {
        await transaction(pool, async (client) => {
          await client.query('select pg_advisory_xact_lock(hashtextextended($1, 8))', [home.schema_name]);
          await migrate(client, home.schema_name, home.schema_name, home.applied);
          await client.query('update weir.placements set applied = $2 where schema_name = $1', [home.schema_name, release]);
        });
        progress?.(index + 1, rows.length);
      }
      return rows.length;
    },
  };
}

async function transaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onLost = (error: Error) => (broken = error);
  client.on('error', onLost);
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(onLost);
    throw error;
  } finally {
    client.off('error', onLost);
    client.release(broken);
  }
}

import { createHash } from 'node:crypto';
import type { TenantId } from '@weir/kernel';
import type { Bundle } from './bundle';
import { MIGRATOR, SERVICE_GROUP, makerOf } from './names';
import { identifier, type Sql } from './sql';

/** The schema that tenants by the thousand share, each seeing its own rows. */
export const POOLED = 'weir_pooled';

/** A release's tenant migrations as scripts: rendered once for each set of what is there already, not once for each tenant. */
export class TenantSchema {
  /** Ids of the migrations, in order. */
  readonly release: readonly string[];
  /** SHA-256 over the migrations. */
  readonly digest: string;
  private readonly scripts = new Map<string, string>();

  constructor(private readonly bundle: Bundle) {
    this.release = bundle.tenant.map(({ id }) => id);
    this.digest = createHash('sha256').update(bundle.tenant.map(({ id, sha256 }) => `${id} ${sha256}\n`).join('')).digest('hex');
  }

  missing(applied: readonly string[]): string[] {
    return this.release.filter((id) => !applied.includes(id));
  }

  /** Brings a home from `applied` to the release, within the caller's transaction. The pooled one is open to moves. */
  async apply(sql: Sql, home: string, applied: readonly string[], pooled = home === POOLED): Promise<void> {
    const missing = this.missing(applied);
    if (missing.length === 0) return;
    await sql.query("select set_config('search_path', quote_ident($1), true), set_config('weir.provisioning_role', $1, true), set_config('weir.pooled', $2, true)", [home, String(pooled)]);
    await sql.query(this.script(missing));
    if (pooled) await sql.query('select weir.open_to_moves()');
  }

  private script(missing: readonly string[]): string {
    const key = missing.join();
    const made = this.scripts.get(key) ?? this.bundle.tenant.filter(({ id }) => missing.includes(id)).map(({ sql }) => sql).join('\n;\n');
    this.scripts.set(key, made);
    return made;
  }
}

/** A home with its role, its tables and nothing in them; one that is there already is left as it is. */
export async function ensureHome(sql: Sql, home: string, schema: TenantSchema): Promise<void> {
  const there = await sql.query('select 1 from weir.homes where schema_name = $1', [home]);
  if (there.rows.length > 0) return;
  const name = identifier(home);
  await ensureRole(sql, home);
  await sql.query(`create schema ${name}`);
  await sql.query(`grant usage on schema ${name} to ${name}`);
  await schema.apply(sql, home, []);
  await sql.query('insert into weir.homes (schema_name, role_name, applied) values ($1, $1, $2)', [home, schema.release]);
}

/** Another database of the same server may have made it: roles belong to the cluster. */
async function ensureRole(sql: Sql, home: string): Promise<void> {
  const { rows } = await sql.query('select 1 from pg_roles where rolname = $1', [home]);
  if (rows.length > 0) return;
  await sql.query('savepoint role');
  try {
    await sql.query(`set local role ${makerOf(home)}`);
    await sql.query(`create role ${identifier(home)} nologin noinherit`);
    // members may become the tenant, and are nothing of it before they do
    await sql.query(`grant ${identifier(home)} to ${SERVICE_GROUP} with inherit false, set true`);
  } catch (error) {
    // whoever makes the same one at the same time is waited for: now it is there, as we would have made it
    if (!MADE_MEANWHILE.has((error as { code?: string }).code)) throw error;
    await sql.query('rollback to savepoint role');
  }
  await sql.query(`set local role ${MIGRATOR}`);
  await sql.query('release savepoint role');
}

/** unique_violation and duplicate_object */
const MADE_MEANWHILE: ReadonlySet<string | undefined> = new Set(['23505', '42710']);

/** A home that one tenant had to itself. Its role stays where another database of the same server still knows it. */
export async function dropHome(sql: Sql, home: string): Promise<void> {
  await sql.query(`drop schema if exists ${identifier(home)} cascade`);
  await sql.query('delete from weir.declared_indexes where schema_name = $1', [home]);
  await sql.query('delete from weir.homes where schema_name = $1', [home]);
  const { rows } = await sql.query('select 1 from pg_roles where rolname = $1', [home]);
  if (rows.length === 0) return;
  await sql.query('savepoint role');
  try {
    await sql.query(`set local role ${makerOf(home)}`);
    await sql.query(`drop role ${identifier(home)}`);
    await sql.query(`set local role ${MIGRATOR}`);
  } catch {
    await sql.query('rollback to savepoint role');
  }
}

/** Makes homes change one at a time; until the transaction ends. */
export const lockHome = (sql: Sql, home: string) => sql.query('select pg_advisory_xact_lock(hashtextextended($1, 8))', [home]);

/** The first link of a log, before any event. */
export async function openLog(sql: Sql, tenant: TenantId, home: string): Promise<void> {
  await sql.query("select set_config('weir.tenant_id', $1, true)", [tenant]);
  await sql.query(
    `insert into ${identifier(home)}.log_heads (tenant_id, chain_hash) values ($1, sha256(convert_to(weir.netstrings('weir-chain-1', $1), 'UTF8')))
     on conflict do nothing`,
    [tenant],
  );
}

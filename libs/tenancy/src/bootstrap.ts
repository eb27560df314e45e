import { Client } from 'pg';
import { AppError, sleep } from '@weir/kernel';
import type { Bundle } from './bundle';
import { MAKERS, MIGRATOR, SERVICES, SERVICE_GROUP, loginOf } from './names';
import { identifier, literal, sqlState, type Sql } from './sql';

/**
 * Makes a database Weir's: the logins (which own nothing), the migrator (which owns everything), the control schemas, and the
 * release's control migrations. Idempotent; several may run at once.
 *
 * @param adminUrl a superuser, or a role that may create roles and schemas
 * @param password of every login; undefined leaves the passwords alone (an operator made them)
 * @returns ids of the control migrations that were applied now
 */
export async function bootstrap(adminUrl: string, bundle: Bundle, password: string | undefined): Promise<string[]> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock(731029)');
    await againAfterOthers(() => createRoles(client as unknown as Sql, password));
    await createSchemas(client as unknown as Sql);
    return await applyControl(client as unknown as Sql, bundle);
  } finally {
    await client.end();
  }
}

async function createRoles(sql: Sql, password: string | undefined): Promise<void> {
  const { rows } = await sql.query<{ rolname: string }>(`select rolname from pg_roles where rolname like 'weir\\_%'`);
  const existing = new Set(rows.map((row) => row.rolname));
  const ensure = async (name: string, attributes: string) => {
    if (!existing.has(name)) await sql.query(`create role ${identifier(name)} ${attributes}`);
    else await sql.query(`alter role ${identifier(name)} ${attributes}`);
  };
  const secret = password === undefined ? '' : ` password ${literal(password)}`;
  await ensure(SERVICE_GROUP, 'nologin nosuperuser nobypassrls');
  await ensure(MIGRATOR, `login nosuperuser nobypassrls createrole${secret}`);
  for (const maker of MAKERS) {
    await ensure(maker, 'nologin nosuperuser nobypassrls createrole');
    await sql.query(`grant ${maker} to ${identifier(MIGRATOR)} with inherit false, set true`);
  }
  for (const service of SERVICES) {
    const login = loginOf(service);
    await ensure(login, `login nosuperuser nobypassrls nocreaterole nocreatedb inherit${secret}`);
    await sql.query(`grant ${SERVICE_GROUP} to ${identifier(login)} with inherit true, set true`);
    // a session that forgets to finish delays nobody for longer than this
    await sql.query(`alter role ${identifier(login)} set idle_in_transaction_session_timeout = '15s'`);
    await sql.query(`alter role ${identifier(login)} set statement_timeout = '30s'`);
  }
  await sql.query(`grant ${SERVICE_GROUP} to ${identifier(MIGRATOR)} with admin true, inherit false, set false`);
}

// Roles belong to the cluster and advisory locks to a database: who prepares another database at the same moment may be changing
// the same roles. The loser of such a race finds them made when it looks again.
async function againAfterOthers(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const raced = ['23505', '42710'].includes(sqlState(error) ?? '') || /tuple concurrently (updated|deleted)/.test(String(error));
      if (!raced || attempt === 10) throw error;
      await sleep(20 * attempt);
    }
  }
}

async function createSchemas(sql: Sql): Promise<void> {
  const { rows } = await sql.query<{ name: string }>('select current_database() as name');
  const database = identifier(rows[0]?.name ?? '');
  await sql.query(`grant create on database ${database} to ${MIGRATOR}`);
  await sql.query(`revoke temporary on database ${database} from public`);
  await sql.query('revoke create on schema public from public');
  for (const schema of ['weir', 'weir_bus', ...SERVICES.map(loginOf)]) {
    await sql.query(`create schema if not exists ${identifier(schema)} authorization ${MIGRATOR}`);
  }
  await sql.query('grant usage on schema weir to public');
  await sql.query(`grant usage on schema weir_bus to ${SERVICE_GROUP}`);
  for (const service of SERVICES) await sql.query(`grant usage on schema ${identifier(loginOf(service))} to ${identifier(loginOf(service))}`);
}

async function applyControl(sql: Sql, bundle: Bundle): Promise<string[]> {
  await sql.query(`set role ${MIGRATOR}`);
  await sql.query(
    'create table if not exists weir.control_migrations (id text primary key, sha256 text not null, applied_at timestamptz not null default now())',
  );
  const { rows } = await sql.query<{ id: string; sha256: string }>('select id, sha256 from weir.control_migrations');
  const applied = new Map(rows.map((row) => [row.id, row.sha256]));
  const known = new Set(bundle.control.map((migration) => migration.id));
  const foreign = [...applied.keys()].find((id) => !known.has(id));
  if (foreign !== undefined) throw newerDatabase(foreign);

  const now: string[] = [];
  for (const migration of bundle.control) {
    const before = applied.get(migration.id);
    if (before === migration.sha256) continue;
    if (before !== undefined) throw alteredMigration(migration.id);
    await sql.query('begin');
    try {
      await sql.query(`set local search_path = ${identifier(migration.schema ?? 'weir')}`);
      await sql.query(migration.sql);
      await sql.query('insert into weir.control_migrations (id, sha256) values ($1, $2)', [migration.id, migration.sha256]);
      await sql.query('commit');
    } catch (error) {
      await sql.query('rollback');
      throw new AppError('migration-failed', 'internal', `Migration ${migration.id} failed: ${(error as Error).message}`, { cause: error });
    }
    now.push(migration.id);
  }
  return now;
}

const newerDatabase = (id: string) =>
  new AppError('database-version', 'conflict', `The database has migration ${id}, which this release does not know: it belongs to another version of Weir. Run that one, or begin with another data directory or database.`);

const alteredMigration = (id: string) =>
  new AppError('database-version', 'conflict', `Migration ${id} was applied in another form: the database belongs to another version of Weir. Run that one, or begin with another data directory or database.`);

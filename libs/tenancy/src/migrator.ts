import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { AppError, sleep, type TenantId } from '@weir/kernel';
import type { Bundle } from './bundle';
import { HOME, databasesOf, type Databases } from './clusters';
import { POOLED, TenantSchema, lockHome } from './home';
import { schemaOf } from './names';
import { sqlState } from './sql';
import { transaction } from './transaction';

export interface MigrationPlan {
  readonly cluster: string;
  /** Homes that lack something, and how many of them lack what. */
  readonly homes: number;
  readonly missing: readonly { readonly migration: string; readonly homes: number }[];
}

export interface MigrationStatus {
  readonly cluster: string;
  /** null: the database does not answer, as `error` says. */
  readonly current: number | null;
  readonly behind: number | null;
  /** The last run, if there was one. */
  readonly run: MigrationRun | null;
  readonly error: string | null;
}

export interface MigrationRun {
  readonly id: string;
  readonly state: 'canary' | 'rolling' | 'done' | 'stopped';
  readonly homes: number;
  readonly done: number;
  readonly failed: readonly { readonly home: string; readonly detail: string }[];
  readonly detail: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

export interface RunOptions {
  /** Who goes first: tenants by id, or how many. If one of them fails, the rest is left alone. In a database where none of the named has a schema to bring up to date, one goes first all the same. */
  readonly canary?: readonly TenantId[] | number;
  readonly workers?: number;
  readonly lockTimeoutMs?: number;
  /** How often a home may be found locked. */
  readonly lockTries?: number;
  readonly progress?: (done: number, of: number) => void;
}

export interface Migrator {
  plan(): Promise<MigrationPlan[]>;
  status(): Promise<MigrationStatus[]>;
  /**
   * Brings every home to the release, home database first; takes up what a killed run has left. One query when there is nothing to do.
   * A cluster that is away keeps no other from the release.
   *
   * @throws AppError `migration-failed` when a home fails, with the homes in the details; run again once the cause is gone
   * @throws AppError `migration-cut-off` when a database was lost, with its name in the details; run again, and it goes on where it was
   */
  run(options?: RunOptions): Promise<{ migrated: number }>;
}

const BEHIND = 'select schema_name as home from weir.homes where not applied @> $1 order by schema_name';

export function migrator(pools: Pool | Databases, bundle: Bundle): Migrator {
  const { home, clusters } = databasesOf(pools);
  const databases: readonly (readonly [string, Pool])[] = [[HOME, home], ...clusters];
  const schema = new TenantSchema(bundle);

  return {
    plan: () =>
      Promise.all(
        databases.map(async ([cluster, pool]) => {
          const { rows } = await pool.query<{ migration: string; homes: number }>(
            `select m.id as migration, count(*)::int as homes from unnest($1::text[]) with ordinality m(id, n) join weir.homes h on not h.applied @> array[m.id]
             group by m.id, m.n order by m.n`,
            [schema.release],
          );
          const behind = await pool.query(BEHIND, [schema.release]);
          return { cluster, homes: behind.rows.length, missing: rows };
        }),
      ),

    status: () =>
      Promise.all(
        databases.map(([cluster, pool]) =>
          statusOf(cluster, pool, schema).catch((error: Error) => ({ cluster, current: null, behind: null, run: null, error: error.message })),
        ),
      ),

    async run(options = {}) {
      let migrated = 0;
      const lost: AppError[] = [];
      for (const [cluster, pool] of databases) {
        try {
          migrated += await runIn(pool, schema, options);
        } catch (error) {
          if (error instanceof AppError) throw error;
          lost.push(cutOff(cluster, error as Error));
          // what home has not proven is tried nowhere else
          if (cluster === HOME) break;
        }
      }
      if (lost[0] !== undefined) throw lost[0];
      return { migrated };
    },
  };
}

async function statusOf(cluster: string, pool: Pool, schema: TenantSchema): Promise<MigrationStatus> {
  const { rows } = await pool.query<{ current: number; behind: number }>(
    'select count(*) filter (where applied @> $1)::int as current, count(*) filter (where not applied @> $1)::int as behind from weir.homes',
    [schema.release],
  );
  return { cluster, ...(rows[0] ?? { current: 0, behind: 0 }), run: await lastRun(pool), error: null };
}

const cutOff = (cluster: string, cause: Error): AppError =>
  new AppError('migration-cut-off', 'unavailable', `The migration was cut off in the database ${cluster}: ${cause.message}. Run again: it goes on where it was.`, { cause, details: { cluster } });

async function runIn(pool: Pool, schema: TenantSchema, options: RunOptions): Promise<number> {
  const { rows } = await pool.query<{ home: string }>(BEHIND, [schema.release]);
  if (rows.length === 0) return 0;
  const run = await openRun(pool, schema, rows.map((row) => row.home), options);
  const canaries = await walk(pool, schema, run, 'canary', options);
  if (canaries.failed) throw await stopped(pool, run);
  await pool.query(`update weir.migration_runs set state = 'rolling' where id = $1 and state = 'canary'`, [run]);
  const rest = await walk(pool, schema, run, 'rest', options);
  if (rest.failed) throw await stopped(pool, run);
  await pool.query(`update weir.migration_runs set state = 'done', finished_at = now() where id = $1 and state = 'rolling'`, [run]);
  return canaries.done + rest.done;
}

/** The open run of this release if there is one, whoever began it: several may work at one. An open run of another release gives way. */
function openRun(pool: Pool, schema: TenantSchema, behind: readonly string[], { canary = 1, workers = 2 }: RunOptions): Promise<string> {
  return transaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock(731030)');
    const open = await client.query<{ id: string; release: string }>(`select id, release from weir.migration_runs where state in ('canary', 'rolling')`);
    if (open.rows[0]?.release === schema.digest) return open.rows[0].id;
    await client.query(`update weir.migration_runs set state = 'stopped', detail = 'another release came', finished_at = now() where state in ('canary', 'rolling')`);
    const id = randomUUID();
    await client.query(`insert into weir.migration_runs (id, release, state, homes, workers) values ($1, $2, 'canary', $3, $4)`, [id, schema.digest, behind.length, workers]);
    await client.query('insert into weir.migration_steps (run_id, schema_name, canary) select $1, h, h = any ($3) from unnest($2::text[]) h', [
      id,
      behind,
      canariesOf(behind, canary),
    ]);
    return id;
  });
}

// one tenant's own schema is a better canary than the schema of thousands
function canariesOf(behind: readonly string[], canary: readonly TenantId[] | number): string[] {
  if (typeof canary !== 'number') {
    const named = canary.map(schemaOf).filter((home) => behind.includes(home));
    // one that is pooled, is up to date or lives in another database tries nothing out here, and the rest is not to go without a trial
    return canary.length > 0 && named.length === 0 ? canariesOf(behind, 1) : named;
  }
  const own = behind.filter((home) => home.startsWith('t_'));
  return (own.length > 0 ? own : behind.filter((home) => home !== POOLED)).slice(0, canary);
}

async function walk(pool: Pool, schema: TenantSchema, run: string, part: 'canary' | 'rest', options: RunOptions): Promise<{ done: number; failed: boolean }> {
  const { workers = 2, progress } = options;
  let done = 0;
  let failed = false;
  const work = async (): Promise<void> => {
    while (!failed) {
      const outcome = await step(pool, schema, run, part === 'canary', options);
      if (outcome === 'none') return;
      if (outcome === 'later') await sleep(50);
      if (outcome === 'failed') failed = true;
      if (outcome === 'done') {
        done++;
        if (progress !== undefined) progress(...(await progressOf(pool, run)));
      }
    }
  };
  const worker = () =>
    work().catch((error: unknown) => {
      failed = true;
      throw error;
    });
  // none is left at work when this ends
  const ends = await Promise.allSettled(Array.from({ length: Math.min(4, Math.max(1, workers)) }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  // asked of the record and not of this process: the one before may have died between a failure and its consequence
  const { rows } = await pool.query(`select 1 from weir.migration_steps where run_id = $1 and canary = $2 and state = 'failed' limit 1`, [run, part === 'canary']);
  return { done, failed: rows.length > 0 };
}

type Outcome = 'done' | 'failed' | 'later' | 'none';

/** One home in one transaction, its step with it: killed before the commit, both are as they were. */
async function step(pool: Pool, schema: TenantSchema, run: string, canary: boolean, { lockTimeoutMs = 2_000, lockTries = 10 }: RunOptions): Promise<Outcome> {
  let home: string | undefined;
  let tries = 0;
  try {
    return await transaction(pool, async (client): Promise<Outcome> => {
      const next = await client.query<{ schema_name: string; tries: number }>(
        `select schema_name, tries from weir.migration_steps where run_id = $1 and canary = $2 and state = 'pending' and not_before <= now()
         order by not_before, schema_name limit 1 for update skip locked`,
        [run, canary],
      );
      if (next.rows[0] === undefined) {
        const left = await client.query(`select 1 from weir.migration_steps where run_id = $1 and canary = $2 and state = 'pending' limit 1`, [run, canary]);
        return left.rows.length > 0 ? 'later' : 'none';
      }
      home = next.rows[0].schema_name;
      tries = next.rows[0].tries;
      // DDL that waits for a lock makes everyone behind it wait: it gives up soon and comes again
      await client.query(`set local lock_timeout = ${Math.floor(lockTimeoutMs)}`);
      await lockHome(client, home);
      const { rows } = await client.query<{ applied: string[] }>('select applied from weir.homes where schema_name = $1', [home]);
      if (rows[0] !== undefined) {
        await schema.apply(client, home, rows[0].applied);
        await client.query('update weir.homes set applied = $2 where schema_name = $1', [home, schema.release]);
      }
      await client.query(`update weir.migration_steps set state = 'done', detail = null, finished_at = now() where run_id = $1 and schema_name = $2`, [run, home]);
      return 'done';
    });
  } catch (error) {
    if (home === undefined) throw error;
    const locked = ['55P03', '40P01'].includes(sqlState(error) ?? '') && tries < lockTries;
    // a lost connection says nothing about the home
    if (!locked && /^(08|57P)/.test(sqlState(error) ?? '08')) throw error;
    await pool.query(
      locked
        ? `update weir.migration_steps set tries = tries + 1, not_before = now() + least(10000, 100 * power(2, tries)) * interval '1 ms', detail = $3 where run_id = $1 and schema_name = $2`
        : `update weir.migration_steps set state = 'failed', detail = $3, finished_at = now() where run_id = $1 and schema_name = $2`,
      [run, home, (error as Error).message],
    );
    return locked ? 'later' : 'failed';
  }
}

async function stopped(pool: Pool, run: string): Promise<AppError> {
  await pool.query(`update weir.migration_runs set state = 'stopped', detail = 'a home failed', finished_at = now() where id = $1`, [run]);
  const { failed = [] } = (await lastRun(pool)) ?? {};
  return new AppError('migration-failed', 'conflict', `The migration stopped at ${failed.map(({ home, detail }) => `${home}: ${detail}`).join('; ')}. The homes that are done stay done; run again once the cause is gone.`, { details: { failed } });
}

async function progressOf(pool: Pool, run: string): Promise<[number, number]> {
  const { rows } = await pool.query<{ done: number; homes: number }>(
    `select count(*) filter (where state = 'done')::int as done, count(*)::int as homes from weir.migration_steps where run_id = $1`,
    [run],
  );
  return [rows[0]?.done ?? 0, rows[0]?.homes ?? 0];
}

async function lastRun(pool: Pool): Promise<MigrationRun | null> {
  const { rows } = await pool.query<MigrationRun>(
    `select r.id, r.state, r.homes, r.detail, r.started_at as "startedAt", r.finished_at as "finishedAt",
            (select count(*)::int from weir.migration_steps s where s.run_id = r.id and s.state = 'done') as done,
            (select coalesce(jsonb_agg(jsonb_build_object('home', s.schema_name, 'detail', s.detail) order by s.schema_name), '[]')
             from weir.migration_steps s where s.run_id = r.id and s.state = 'failed') as failed
     from weir.migration_runs r order by r.started_at desc limit 1`,
  );
  return rows[0] ?? null;
}

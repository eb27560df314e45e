import type { Pool, PoolClient } from 'pg';
import type { Bundle } from './bundle';
import { HOME, databasesOf, type Databases } from './clusters';
import { POOLED, TenantSchema } from './home';
import { identifier } from './sql';

/** Something in a home that is not as the release makes it. */
export interface Drift {
  readonly cluster: string;
  readonly home: string;
  /** column, constraint, index, policy, trigger, row security, grants, function */
  readonly kind: string;
  readonly object: string;
  /** As the release makes it; null: the release knows no such thing. */
  readonly expected: string | null;
  /** As it is; null: it is missing. */
  readonly found: string | null;
}

const REFERENCE = 'weir_reference';
const REFERENCE_POOLED = 'weir_reference_pooled';

// Everything that the catalog says of these schemas' tables, with the names of schema and role taken out; into how many partitions a table is
// divided is no difference. Only user tables: the
// information schema takes a quarter of a second for one look with 5,000 schemas about.
const FACTS = `
  with home as (select oid, nspname::text as name from pg_namespace where nspname = any ($1::text[])),
  tab as (select c.oid, c.relname::text, c.relrowsecurity, c.relforcerowsecurity, c.relacl, h.name as home from pg_class c join home h on h.oid = c.relnamespace where c.relkind in ('r', 'p') and not c.relispartition),
  fact as (
    select home, 'column' as kind, relname || '.' || a.attname as object,
           format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
           || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || a.attidentity::text || a.attgenerated::text as definition
    from tab join pg_attribute a on a.attrelid = tab.oid and a.attnum > 0 and not a.attisdropped left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    union all
    select home, 'constraint', relname || '.' || k.conname, pg_get_constraintdef(k.oid) from tab join pg_constraint k on k.conrelid = tab.oid
    union all
    select home, 'index', i.relname, replace(pg_get_indexdef(i.oid), ' ON ONLY ', ' ON ') || case when x.indisvalid then '' else ' invalid' end
    from tab join pg_index x on x.indrelid = tab.oid join pg_class i on i.oid = x.indexrelid
    where not exists (select 1 from weir.declared_indexes e where e.schema_name = home and e.index_name = i.relname)
    union all
    select home, 'policy', relname || '.' || p.polname, p.polcmd::text || ' ' || p.polpermissive::text || ' ' || p.polroles::regrole[]::text || coalesce(' using ' || pg_get_expr(p.polqual, p.polrelid), '')
           || coalesce(' check ' || pg_get_expr(p.polwithcheck, p.polrelid), '')
    from tab join pg_policy p on p.polrelid = tab.oid
    union all
    select home, 'trigger', relname || '.' || t.tgname, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text from tab join pg_trigger t on t.tgrelid = tab.oid and not t.tgisinternal
    union all
    select home, 'row security', relname, case when relrowsecurity and relforcerowsecurity then 'forced' else 'off' end from tab
    union all
    select home, 'grants', relname, array(select replace(a.grantee::regrole::text, home, '<home>') || '=' || a.privilege_type from aclexplode(relacl) a order by 1)::text from tab
    union all
    select h.name, 'function', f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')', f.prosrc from pg_proc f join home h on h.oid = f.pronamespace),
  neutral as (select home, kind, object, replace(replace(definition, home || '.', ''), home, '<home>') as definition from fact)`;

const DIGESTS = `${FACTS} select home, md5(string_agg(kind || ' ' || object || ' ' || definition, E'\\n' order by kind, object, definition)) as digest from neutral group by home`;

const DIFFERENCES = `${FACTS},
  actual as (select * from neutral where home <> $2), wanted as (select * from neutral where home = $2),
  wanted_everywhere as (select h.name as home, w.kind, w.object, w.definition from home h, wanted w where h.name <> $2)
  select coalesce(a.home, w.home) as home, coalesce(a.kind, w.kind) as kind, coalesce(a.object, w.object) as object, w.definition as expected, a.definition as found
  from wanted_everywhere w full join actual a on a.home = w.home and a.kind = w.kind and a.object = w.object
  where a.definition is distinct from w.definition order by 1, 2, 3`;

/**
 * Compares every home that has the release's migrations with one that is made for the purpose and taken back. Indexes that were
 * declared for a tenant are no drift; homes that are behind are the migrator's business.
 */
export async function findDrift(pools: Pool | Databases, bundle: Bundle): Promise<Drift[]> {
  const { home, clusters } = databasesOf(pools);
  const schema = new TenantSchema(bundle);
  const found: Drift[] = [];
  for (const [cluster, pool] of [[HOME, home] as const, ...clusters]) {
    for (const drift of await inDatabase(pool, schema)) found.push({ cluster, ...drift });
  }
  return found;
}

async function inDatabase(pool: Pool, schema: TenantSchema): Promise<Omit<Drift, 'cluster'>[]> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const { rows } = await client.query<{ home: string }>('select schema_name as home from weir.homes where applied @> $1', [schema.release]);
    const homes = rows.map((row) => row.home);
    const own = homes.filter((home) => home !== POOLED);
    return [
      ...(await compare(client, schema, own, REFERENCE)),
      ...(own.length === homes.length ? [] : await compare(client, schema, [POOLED], REFERENCE_POOLED)),
    ];
  } finally {
    await client.query('rollback').catch(() => undefined);
    client.release();
  }
}

async function compare(client: PoolClient, schema: TenantSchema, homes: readonly string[], reference: string): Promise<Omit<Drift, 'cluster'>[]> {
  if (homes.length === 0) return [];
  await client.query(`create role ${identifier(reference)} nologin`);
  await client.query(`create schema ${identifier(reference)}`);
  await schema.apply(client, reference, [], reference === REFERENCE_POOLED);
  // names without a schema, whoever's they are
  await client.query(`set local search_path = ''`);
  const digests = await client.query<{ home: string; digest: string }>(DIGESTS, [[...homes, reference]]);
  const should = digests.rows.find(({ home }) => home === reference)?.digest;
  const different = homes.filter((home) => digests.rows.find((row) => row.home === home)?.digest !== should);
  if (different.length === 0) return [];
  const { rows } = await client.query<Omit<Drift, 'cluster'>>(DIFFERENCES, [[...different, reference], reference]);
  return rows;
}

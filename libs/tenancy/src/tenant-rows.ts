import { pipeline } from 'node:stream/promises';
import type { PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { AppError, type TenantId } from '@weir/kernel';
import { identifier, type Sql } from './sql';

/** A table with a tenant's rows in it: in its home, or in a control schema and going with it. */
export interface TenantTable {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
}

/** What must be equal on both sides of a move. */
export interface Fingerprint {
  readonly table: string;
  readonly rows: number;
  /** Sum of a hash of each row: the order in which they lie is no difference. */
  readonly digest: string;
}

const COLUMNS = `
  select c.relname::text as name, array_agg(a.attname::text order by a.attnum) as columns
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and ($2::text[] is null or c.relname = any ($2))
  group by c.oid, c.relname order by c.oid`;

/** Tables of a home, in the order in which they were made. */
export async function tablesOf(sql: Sql, home: string): Promise<TenantTable[]> {
  const { rows } = await sql.query<{ name: string; columns: string[] }>(COLUMNS, [identifier(home), null]);
  return rows.map((row) => ({ schema: home, ...row }));
}

/** Those of a home that go with a tenant: all but what is computed from its log, and is computed again where it arrives. */
export async function carriedTables(sql: Sql, home: string): Promise<TenantTable[]> {
  const { rows } = await sql.query<{ name: string }>('select table_name::text as name from weir.rebuilt_tables');
  const rebuilt = new Set(rows.map(({ name }) => name));
  return (await tablesOf(sql, home)).filter(({ name }) => !rebuilt.has(name));
}

/** Tables of control schemas whose rows go with their tenant; for a purge those that it takes. */
export async function travellingTables(sql: Sql, purged = false): Promise<TenantTable[]> {
  const declared = await sql.query<{ schema_name: string; tables: string[] }>(
    'select schema_name, array_agg(table_name::text) as tables from weir.travelling_tables where purged or not $1 group by schema_name order by schema_name',
    [purged],
  );
  const found: TenantTable[] = [];
  for (const { schema_name, tables } of declared.rows) {
    const { rows } = await sql.query<{ name: string; columns: string[] }>(COLUMNS, [identifier(schema_name), tables]);
    found.push(...rows.map((row) => ({ schema: schema_name, ...row })));
  }
  return found;
}

export const qualified = ({ schema, name }: Pick<TenantTable, 'schema' | 'name'>): string => `${identifier(schema)}.${identifier(name)}`;
export const columnList = ({ columns }: TenantTable): string => columns.map(identifier).join(', ');

/** The migrator's transaction speaks for this tenant: row security shows it that one's rows and takes no others. */
export const speakFor = (sql: Sql, tenant: TenantId) => sql.query("select set_config('weir.tenant_id', $1, true)", [tenant]);

/** The text of values is the same whatever the server's or the session's settings. */
export const plainText = (sql: Sql) => sql.query("set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local bytea_output = 'hex'; set local extra_float_digits = 1");

/** Which rows: all of the tenant's, or of its events those behind a position and up to another. */
export interface Slice {
  readonly tenant: TenantId;
  readonly after?: number;
  readonly upTo?: number;
}

// ids and numbers of our own; COPY takes no parameters
export function where({ tenant, after, upTo }: Slice): string {
  if (!/^ten_[0-9a-z]+$/.test(tenant)) throw new TypeError('not a tenant id');
  return [`tenant_id = '${tenant}'`, ...(after === undefined ? [] : [`position > ${Number(after)}`]), ...(upTo === undefined ? [] : [`position <= ${Number(upTo)}`])].join(' and ');
}

/** Within one database. */
export async function copyWithin(sql: Sql, from: TenantTable, to: TenantTable, slice: Slice): Promise<void> {
  await sql.query(`insert into ${qualified(to)} (${columnList(from)}) select ${columnList(from)} from ${qualified(from)} where ${where(slice)}`);
}

/** From one database to another, as a stream. */
export async function copyAcross(from: PoolClient, source: TenantTable, to: PoolClient, target: TenantTable, slice: Slice): Promise<void> {
  const out = from.query(copyTo(`copy (select ${columnList(source)} from ${qualified(source)} where ${where(slice)}) to stdout`));
  const into = to.query(copyFrom(`copy ${qualified(target)} (${columnList(source)}) from stdin`));
  await unlessLost([from, to], pipeline(out, into));
}

const terminated = () => new Error('Connection terminated in the middle of a COPY');

/** A COPY whose session ends in the middle may say nothing at all: whoever waits for it hears of the session. */
async function unlessLost<T>(clients: readonly PoolClient[], copying: Promise<T>): Promise<T> {
  let onLost: (error?: Error) => void = () => undefined;
  const lost = new Promise<never>((_, reject) => (onLost = (error) => reject(error ?? terminated())));
  for (const client of clients) client.once('error', onLost).once('end', onLost);
  // the one that did not end the wait is heard too
  copying.catch(() => undefined);
  try {
    return await Promise.race([copying, lost]);
  } finally {
    for (const client of clients) client.off('error', onLost).off('end', onLost);
  }
}

/** Lines of COPY's text form, one row each, about `bytes` at a time, or one longer row. */
export async function* copiedLines(from: PoolClient, source: TenantTable, tenant: TenantId, bytes: number): AsyncGenerator<Buffer> {
  const out = from.query(copyTo(`copy (select ${columnList(source)} from ${qualified(source)} where ${where({ tenant })}) to stdout`));
  const onLost = (error?: Error) => void out.destroy(error ?? terminated());
  from.once('error', onLost).once('end', onLost);
  try {
    let kept: Buffer[] = [];
    let size = 0;
    // chunks are the network's and not the rows'; a newline within a value is escaped, so that each one here ends a row
    for await (const chunk of out as AsyncIterable<Buffer>) {
      const end = chunk.lastIndexOf(0x0a) + 1;
      if (end > 0 && size + end > bytes) {
        yield Buffer.concat([...kept, chunk.subarray(0, end)]);
        kept = [chunk.subarray(end)];
      } else {
        kept.push(chunk);
      }
      size = kept.reduce((sum, { length }) => sum + length, 0);
    }
    if (size > 0) yield Buffer.concat(kept);
  } finally {
    from.off('error', onLost).off('end', onLost);
  }
}

export async function writeLines(to: PoolClient, target: TenantTable, lines: Buffer): Promise<void> {
  await unlessLost([to], pipeline([lines], to.query(copyFrom(`copy ${qualified(target)} (${columnList(target)}) from stdin`))));
}

/** Takes rows that a policy hides from nobody but their owner: for a home that nobody uses yet. */
export async function withoutForcedSecurity<T>(sql: Sql, tables: readonly TenantTable[], work: () => Promise<T>): Promise<T> {
  for (const table of tables) await sql.query(`alter table ${qualified(table)} no force row level security`);
  const result = await work();
  for (const table of tables) await sql.query(`alter table ${qualified(table)} force row level security`);
  return result;
}

export async function fingerprint(sql: Sql, table: TenantTable, tenant: TenantId): Promise<Fingerprint> {
  const { rows } = await sql.query<{ rows: string; digest: string }>(
    `select count(*) as rows, coalesce(sum(hashtextextended(row(${columnList(table)})::text, 0)), 0)::text as digest from ${qualified(table)} where tenant_id = $1`,
    [tenant],
  );
  return { table: table.name, rows: Number(rows[0]?.rows ?? 0), digest: rows[0]?.digest ?? '' };
}

export function assertEqual(before: readonly Fingerprint[], after: readonly Fingerprint[]): void {
  const different = before.filter((one, i) => one.rows !== after[i]?.rows || one.digest !== after[i]?.digest).map(({ table }) => table);
  if (different.length > 0) throw new AppError('copy-differs', 'internal', `The copy differs from its source in ${different.join(', ')}: nothing was switched.`);
}

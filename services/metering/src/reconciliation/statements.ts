import type { Sql } from '@weir/tenancy';
import type { Line, Span } from './compare';

/** Where lines come from, and how far it has been read and compared. */
export interface Source {
  readonly source: string;
  /** The one upstream key that it is about; undefined: all. */
  readonly keyId: string | undefined;
  readonly readTo: number;
  /** ms; every line of what happened in between has been read. */
  readonly coversFrom: number | undefined;
  readonly coversTo: number | undefined;
  readonly comparedTo: number | undefined;
}

interface SourceRow {
  source: string;
  key_id: string;
  read_to: string;
  covers_from: Date | null;
  covers_to: Date | null;
  compared_to: Date | null;
}

const toSource = (row: SourceRow): Source => ({
  source: row.source,
  keyId: row.key_id === '' ? undefined : row.key_id,
  readTo: Number(row.read_to),
  coversFrom: row.covers_from?.getTime(),
  coversTo: row.covers_to?.getTime(),
  comparedTo: row.compared_to?.getTime(),
});

export async function ensureSource(sql: Sql, source: string, keyId = ''): Promise<void> {
  await sql.query('insert into statement_sources (source, key_id) values ($1, $2) on conflict do nothing', [source, keyId]);
}

export const sources = async (sql: Sql): Promise<Source[]> => (await sql.query<SourceRow>('select * from statement_sources order by source')).rows.map(toSource);

/** A source in the hands of one process for so long; undefined while another one has it. */
export async function leaseSource(sql: Sql, source: string, holder: string, forMs: number): Promise<Source | undefined> {
  const { rows } = await sql.query<SourceRow>(
    `update statement_sources set held_by = $2, held_until = now() + $3 * interval '1 ms'
     where source = $1 and (held_by = $2 or held_until is null or held_until < now()) returning *`,
    [source, holder, forMs],
  );
  return rows.map(toSource)[0];
}

export const renewLease = (sql: Sql, source: string, holder: string, forMs: number) =>
  sql.query(`update statement_sources set held_until = now() + $3 * interval '1 ms' where source = $1 and held_by = $2`, [source, holder, forMs]);

export const releaseSource = (sql: Sql, source: string, holder: string) => sql.query('update statement_sources set held_by = null, held_until = null where source = $1 and held_by = $2', [source, holder]);

/**
 * Before anything is written of a source, in that transaction: whether it still is as it was leased. It is not when the process was so slow that
 * another one has taken it, or when somebody asked for a time to be compared again.
 */
export async function stillLeased(sql: Sql, { source, readTo, comparedTo }: Source, holder: string): Promise<boolean> {
  const { rows } = await sql.query<SourceRow>('select * from statement_sources where source = $1 and held_by = $2 for update', [source, holder]);
  const now = rows.map(toSource)[0];
  return now !== undefined && now.readTo === readTo && now.comparedTo === comparedTo;
}

const KEEP = `
  insert into statement_lines (source, line, request_id, attempt, key_hint, status, credits, at)
  select $1, l.line, l."requestId", l.attempt, l."keyHint", l.status, l.credits, to_timestamp(l.at / 1000.0)
  from json_to_recordset($2::json) as l (line bigint, "requestId" text, attempt int, "keyHint" text, status int, credits bigint, at float8) order by l.line
  on conflict do nothing`;

/** Lines that are there already change nothing. */
export async function keepLines(sql: Sql, source: string, lines: readonly Line[]): Promise<void> {
  if (lines.length > 0) await sql.query(KEEP, [source, JSON.stringify(lines)]);
}

export const readSoFar = (sql: Sql, source: string, readTo: number, coversTo: number | undefined) =>
  sql.query('update statement_sources set read_to = greatest(read_to, $2), covers_to = coalesce(to_timestamp($3 / 1000.0), covers_to) where source = $1', [source, readTo, coversTo ?? null]);

export const comparedSoFar = (sql: Sql, source: string, to: number) => sql.query('update statement_sources set compared_to = to_timestamp($2 / 1000.0) where source = $1', [source, to]);

const LINE = `line::float8 as line, request_id as "requestId", attempt, key_hint as "keyHint", status, credits::float8 as credits, (extract(epoch from at) * 1000)::float8 as at`;

export const linesIn = async (sql: Sql, source: string, { from, to }: Span): Promise<Line[]> =>
  (await sql.query<Line>(`select ${LINE} from statement_lines where source = $1 and at >= to_timestamp($2 / 1000.0) and at < to_timestamp($3 / 1000.0)`, [source, from, to])).rows;

export async function firstLineAt(sql: Sql, source: string): Promise<number | undefined> {
  const { rows } = await sql.query<{ at: number | null }>('select (extract(epoch from min(at)) * 1000)::float8 as at from statement_lines where source = $1', [source]);
  return rows[0]?.at ?? undefined;
}

/** Of attempts, by `request/attempt`. */
export async function linesOf(sql: Sql, source: string, attempts: readonly { readonly request_id: string; readonly attempt: number }[]): Promise<Map<string, Line>> {
  const { rows } = await sql.query<Line>(
    `select ${LINE} from statement_lines l join json_to_recordset($2::json) as a (request_id text, attempt int) using (request_id, attempt) where l.source = $1 order by line desc`,
    [source, JSON.stringify(attempts)],
  );
  return new Map(rows.map((line) => [`${line.requestId}/${line.attempt}`, line]));
}

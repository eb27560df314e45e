import type { QueryConfig } from 'pg';
import type { Sql } from './sql';

/** How much longer the client waits than the server works: its own answer, that the time is over, is to arrive. */
const MARGIN_MS = 5_000;

/**
 * The rest of a transaction may take longer over a statement than a service's statements may: for upkeep that reads all that a tenant has, and
 * for which nobody waits.
 *
 * @param sql a pooled client inside a transaction, as a unit of work hands it out
 */
export async function patiently(sql: Sql, withinMs: number): Promise<Sql> {
  await sql.query(`select set_config('statement_timeout', $1, true)`, [`${withinMs}ms`]);
  const waiting = sql as unknown as { query: (config: QueryConfig & { query_timeout: number }) => never };
  return { query: (text, values = []) => waiting.query({ text, values: [...values], query_timeout: withinMs + MARGIN_MS }) };
}

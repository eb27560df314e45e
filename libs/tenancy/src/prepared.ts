import { createHash } from 'node:crypto';
import type { Pool, QueryResult, QueryResultRow } from 'pg';
import { inLine } from './line';
import { SQLSTATE, sqlState } from './sql';

const names = new Map<string, string>();
/** Those that have shown to be behind a pooler that gives each transaction another session and knows nothing of names, as PgBouncer before 1.21. */
const nameless = new WeakSet<Pool>();

/**
 * One statement under a name, of which no session reads and plans the text twice. That a session does not know the name, or that another
 * client has given it before, is said before anything is done: then it goes again without one, and so does whatever comes after it.
 *
 * @param line those of one line that are under way at once go down one session, in their order
 * @param text one of a few
 */
export async function queryPrepared<R extends QueryResultRow>(pool: Pool, line: string, text: string, values: readonly unknown[] = []): Promise<QueryResult<R>> {
  if (!nameless.has(pool)) {
    try {
      return await inLine(pool, line, (session) => session.query<R>({ name: nameOf(text), text, values: values as unknown[] }));
    } catch (error) {
      const state = sqlState(error);
      if (state !== SQLSTATE.noSuchStatement && state !== SQLSTATE.suchAStatement) throw error;
      nameless.add(pool);
    }
  }
  return pool.query<R>(text, values as unknown[]);
}

/** Of the text: two releases that share a session never mean two statements by one name. */
function nameOf(text: string): string {
  const name = names.get(text) ?? `weir_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;
  names.set(text, name);
  return name;
}

import type { QueryResultRow } from 'pg';

/** What runs a statement: a pooled client inside a transaction, or another library's. */
export interface Sql {
  query<R extends QueryResultRow = QueryResultRow>(text: string, values?: readonly unknown[]): Promise<{ rows: R[]; rowCount: number | null }>;
}

/** Statements that are a transaction each. */
export interface DirectSql extends Sql {
  /**
   * A statement of always the same text, that comes again and again: each session reads and plans it once, where it can keep it under a
   * name. While one is under way, the next goes after it on the same session.
   */
  readonly prepared: Sql['query'];
}

/** SQLSTATEs that weir's own functions raise. */
export const SQLSTATE = {
  unknownTenant: 'WR404',
  appendOnly: 'WR403',
  livesElsewhere: 'WR307',
  schemaBehind: 'WR426',
  /** Postgres's own: a write in a tenant that is being moved. */
  readOnly: '25006',
  /** A prepared statement that this session does not have, or has already. */
  noSuchStatement: '26000',
  suchAStatement: '42P05',
} as const;

export const sqlState = (error: unknown): string | undefined => (error as { code?: string } | undefined)?.code;

/** A name as an SQL identifier. Names here come from ids alone; quoting is the second lock on the door. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

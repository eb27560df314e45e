import { AppError, notFound } from '@weir/kernel';
import { Whereabouts, type Databases } from './clusters';
import { POOLED } from './home';
import type { Place } from './place';
import { identifier, sqlState, type Sql } from './sql';

export interface ExtraIndex {
  readonly table: string;
  readonly columns: readonly string[];
  readonly reason: string;
}

/** An index that one home has and the release does not: made without locking its table for writes, and on record as no drift. */
export async function declareIndex({ home, clusters }: Databases, place: Place, { table, columns, reason }: ExtraIndex): Promise<{ name: string; definition: string }> {
  if (place.home === POOLED) throw new AppError('pooled-index', 'conflict', 'The pooled schema belongs to many: move the tenant to a schema of its own first.');
  const pool = new Whereabouts(home, clusters).of(place.at);
  const name = `x_${table}_${columns.join('_')}`.slice(0, 63);
  const definition = `create index if not exists ${identifier(name)} on %s.${identifier(table)} (${columns.map(identifier).join(', ')})`;
  await pool.query(
    'insert into weir.declared_indexes (schema_name, index_name, definition, reason) values ($1, $2, $3, $4) on conflict (schema_name, index_name) do update set reason = excluded.reason',
    [place.home, name, definition, reason],
  );
  try {
    await pool.query(definition.replace('create index', 'create index concurrently').replace('%s', identifier(place.home)));
  } catch (error) {
    await pool.query('delete from weir.declared_indexes where schema_name = $1 and index_name = $2', [place.home, name]);
    if (['42P01', '42703'].includes(sqlState(error) ?? '')) throw new AppError('no-such-column', 'invalid', (error as Error).message, { cause: error });
    throw error;
  }
  return { name, definition: definition.replace('%s', place.home) };
}

export async function undeclareIndex({ home, clusters }: Databases, place: Place, name: string): Promise<void> {
  const pool = new Whereabouts(home, clusters).of(place.at);
  const { rowCount } = await pool.query('delete from weir.declared_indexes where schema_name = $1 and index_name = $2', [place.home, name]);
  if (rowCount === 0) throw notFound('index');
  await pool.query(`drop index concurrently if exists ${identifier(place.home)}.${identifier(name)}`);
}

/** Makes in a new home the indexes that the old one had declared; its rows are there already. */
export async function carryIndexes(from: Sql, to: Sql, fromHome: string, toHome: string): Promise<void> {
  if (toHome === POOLED) return;
  const { rows } = await from.query<{ index_name: string; definition: string; reason: string }>('select index_name, definition, reason from weir.declared_indexes where schema_name = $1', [fromHome]);
  for (const { index_name, definition, reason } of rows) {
    await to.query(definition.replace('%s', identifier(toHome)));
    await to.query('insert into weir.declared_indexes (schema_name, index_name, definition, reason) values ($1, $2, $3, $4) on conflict do nothing', [toHome, index_name, definition, reason]);
  }
}

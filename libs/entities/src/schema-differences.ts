import { DataSource } from 'typeorm';
import type { Entities } from './entity-work';

/**
 * The statements that TypeORM would need to make tables out of entities, in one schema: none where the migrations have made the same.
 * Tables without an entity are nobody's business here.
 *
 * @param url of a login that may read the catalog of that schema; nothing is changed
 */
export async function schemaDifferences(url: string, schema: string, entities: Entities): Promise<string[]> {
  const source = await new DataSource({ type: 'postgres', url, schema, entities: [...entities], poolSize: 1 }).initialize();
  try {
    return (await source.driver.createSchemaBuilder().log()).upQueries.map(({ query }) => query);
  } finally {
    await source.destroy();
  }
}

import { schemaDifferences } from '@weir/entities';
import { freshDatabase } from '@weir/testing';
import { ENTITIES } from './read-models';

it('the entities are the tables that the migrations make', async () => {
  const database = await freshDatabase();
  expect(await schemaDifferences(database.adminUrl, 'weir_tenant_registry', ENTITIES)).toEqual([]);
  await database.drop();
});

import { newId, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, provisioner, unitOfWork, type PlacementKind, type UnitOfWork } from '@weir/tenancy';
import { freshDatabase, type TestDatabase } from '@weir/testing';

/** A database of one spec, with metering's own way into it. */
export interface MeteringDatabase extends TestDatabase {
  readonly work: UnitOfWork;
  newTenant(kind?: PlacementKind): Promise<TenantId>;
}

export async function meteringDatabase(): Promise<MeteringDatabase> {
  const database = await freshDatabase();
  const own = createPool({ url: database.urlOf('metering'), name: 'metering' });
  const migrator = createPool({ url: database.migratorUrl, name: 'migrator', max: 2 });
  const { provision } = provisioner(migrator, collectBundle());
  return {
    ...database,
    work: unitOfWork(own, 'metering'),
    newTenant: async (kind = 'schema') => {
      const tenant = newId('ten');
      await provision(tenant, kind);
      return tenant;
    },
    drop: async () => {
      await Promise.all([own.end(), migrator.end()]);
      await database.drop();
    },
  };
}

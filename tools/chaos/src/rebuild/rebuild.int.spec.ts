import { newId } from '@weir/kernel';
import { MIGRATOR, collectBundle, createPool, provisioner, unitOfWork } from '@weir/tenancy';
import { freshDatabase } from '@weir/testing';
import { seeded } from '../scenario';
import { countAndRebuild } from './rebuild';

// What `npm run chaos -- rebuild` does with ten million.
it('M9 sums made anew from 4,000 records of every kind are exactly those that were counted, and a row that is not is found', async () => {
  const database = await freshDatabase();
  const pools = [createPool({ url: database.adminUrl, name: 'spec/admin', max: 2 }), createPool({ url: database.migratorUrl, name: MIGRATOR, max: 1 }), createPool({ url: database.urlOf('metering'), name: 'spec', max: 5 })] as const;
  const [admin, migrator, own] = pools;
  const tenant = newId('ten');
  await provisioner(migrator, collectBundle()).provision(tenant, 'schema');
  const outcome = await countAndRebuild({ work: unitOfWork(own, 'metering'), admin, tenant, records: 4_000, random: seeded(1), progress: () => undefined });
  await Promise.all(pools.map((pool) => pool.end()));
  await database.drop();
  expect(outcome.invariants.filter(({ holds }) => !holds)).toEqual([]);
});

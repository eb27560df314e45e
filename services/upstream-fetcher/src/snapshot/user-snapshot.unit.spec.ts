import type { TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { UserSnapshots } from './user-snapshot';

const TENANT: TenantId = 'ten_01k9x4zq3hf2v8m7c5w6b1n0ap';
const snapshot = (n: number) => ({ tenantId: TENANT, secUid: `sec_${n}`, uniqueId: `user_${n}`, body: Buffer.from('{}'), fetchedAt: n, lifetimeMs: 1_000 });

it('snapshots that a database does not take are given up at the end of their grace, and do not hold up a shutdown', async () => {
  const hanging = { inTenant: () => new Promise(() => undefined) } as unknown as UnitOfWork;
  const snapshots = new UserSnapshots(hanging, () => undefined);
  for (let n = 1; n <= 20; n++) snapshots.keep(snapshot(n));
  expect(await snapshots.drain(20)).toBe(20);
});

it('snapshots that are taken are all stored before the end', async () => {
  let stored = 0;
  const quick = { inTenant: async () => void stored++ } as unknown as UnitOfWork;
  const snapshots = new UserSnapshots(quick, () => undefined);
  for (let n = 1; n <= 20; n++) snapshots.keep(snapshot(n));
  expect([await snapshots.drain(5_000), stored]).toEqual([0, 20]);
});

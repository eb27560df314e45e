import { newId, type TenantId } from '@weir/kernel';
import { findDrift, migrator, provisioner, unitOfWork, type Bundle } from '@weir/tenancy';
import { invariant, type Invariant } from '../scenario';
import type { Ground } from './ground';

const LATER = { id: 'tenancy/9001_later', sql: `alter table projects add column region text not null default ''; create index projects_region on projects (tenant_id, region)`, sha256: 'later' };
const release = (bundle: Bundle): Bundle => ({ ...bundle, tenant: [...bundle.tenant, LATER] });

/** R9: a release goes through many schemas, its migrator is killed on the way, and tenants are served all the time by code old and new. */
export async function migrateThroughKills(ground: Ground, { schemas, kills, random }: { schemas: number; kills: number; random: () => number }): Promise<{ invariants: Invariant[]; figures: Record<string, number> }> {
  const { provision } = provisioner(ground.migrator(), ground.bundle);
  const ids: TenantId[] = [];
  for (let i = 0; i < schemas; i++) {
    const id = newId('ten');
    await provision(id, 'schema');
    ids.push(id);
  }
  const next = release(ground.bundle);
  const { home } = ground.service('tenant-registry', 4);
  const [old, fresh] = [unitOfWork(home, 'tenant-registry'), unitOfWork(home, 'tenant-registry', { needs: [LATER.id] })];
  let over = false;
  const outcomes = { old: 0, fresh: 0, waited: 0, wrong: [] as string[] };
  const traffic = (async () => {
    while (!over) {
      const tenant = ids[Math.floor(random() * ids.length)] as TenantId;
      await old.inTenant(tenant, (sql) => sql.query('select id from projects')).then(() => outcomes.old++, (error: Error) => outcomes.wrong.push(error.message));
      await fresh.inTenant(tenant, (sql) => sql.query('select region from projects')).then(
        () => outcomes.fresh++,
        (error: { code?: string; message: string }) => (error.code === 'tenant-migrating' ? outcomes.waited++ : outcomes.wrong.push(error.message)),
      );
    }
  })();

  const began = performance.now();
  let killed = 0;
  for (let tries = 0; tries <= kills + 5; tries++) {
    const stopAfter = killed < kills ? Math.floor(((killed + 1) * schemas) / (kills + 1)) : Infinity;
    let struck: Promise<void> | undefined;
    const progress = (done: number) => {
      if (done >= stopAfter) struck ??= ground.killMigrators();
    };
    try {
      await migrator(ground.migrator(), next).run({ canary: 2, workers: 2, progress });
      break;
    } catch {
      killed++;
      await struck;
    }
  }
  const seconds = (performance.now() - began) / 1_000;
  over = true;
  await traffic;

  const [status] = await migrator(ground.migrator(), next).status();
  const runs = await ground.admin.home.query<{ n: number }>('select count(distinct r.id)::int as n from weir.migration_runs r join weir.migration_runs last using (release) where last.id = $1', [status?.run?.id]);
  const drift = await findDrift(ground.migrator(), next);
  await ground.admin.home.query(`alter table t_${(ids[0] as string).slice(4)}.projects alter column name type varchar(80)`);
  const altered = await findDrift(ground.migrator(), next);
  return {
    invariants: [
      invariant('R9 a killed migrator’s run is taken up and finished', status?.behind === 0 && status.run?.state === 'done' && runs.rows[0]?.n === 1, status),
      invariant('R9 every schema is as the release makes it', drift.length === 0, drift.slice(0, 3)),
      invariant('R9 tenants are served all the while, by old code and by new where the schema is', outcomes.wrong.length === 0 && outcomes.old > 0, outcomes.wrong.slice(0, 3)),
      invariant('R9 a hand-altered column is drift', altered.length === 1 && altered[0]?.object === 'projects.name', altered.slice(0, 3)),
    ],
    figures: { schemas, 'migrators killed': killed, 'seconds for the DDL': Number(seconds.toFixed(1)), 'served by old code': outcomes.old, 'by new': outcomes.fresh, 'told to wait': outcomes.waited },
  };
}

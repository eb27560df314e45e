import { newId, type TenantId } from '@weir/kernel';
import { provisioner, unitOfWork } from '@weir/tenancy';
import { invariant, type Invariant } from '../scenario';
import type { Ground } from './ground';

export interface Interleaving {
  readonly transactions: number;
  readonly tenants: number;
  readonly random: () => number;
}

/**
 * R3: transactions of many tenants, in schemas of their own and in the pooled one, on a few shared connections; a fifth of them end badly:
 * cancelled by the server, cut by a timeout, thrown out of, their session killed. None may see or leave another tenant's row.
 */
export async function interleave(ground: Ground, { transactions, tenants, random }: Interleaving): Promise<{ invariants: Invariant[]; figures: Record<string, number> }> {
  const { provision } = provisioner(ground.migrator(), ground.bundle);
  const ids: TenantId[] = [];
  for (let i = 0; i < tenants; i++) {
    const id = newId('ten');
    await provision(id, i % 2 === 0 ? 'schema' : 'pooled');
    ids.push(id);
  }
  const { home } = ground.service('tenant-registry', 5);
  const work = unitOfWork(home, 'tenant-registry');
  const written = new Map<TenantId, number>(ids.map((id) => [id, 0]));
  const unsure = new Map<TenantId, number>(ids.map((id) => [id, 0]));
  let wrong = 0;
  let cancelled = 0;
  let left = transactions;

  async function one(): Promise<void> {
    const tenant = ids[Math.floor(random() * ids.length)] as TenantId;
    const fate = random();
    let committing = false;
    try {
      await work.inTenant(tenant, async (sql) => {
        const { rows } = await sql.query<{ tenant_id: string }>('select tenant_id from projects order by id desc limit 20');
        if (rows.some((row) => row.tenant_id !== tenant)) wrong++;
        await sql.query('insert into projects (tenant_id, id, name, created_at) values ($1, $2, $1, 0)', [tenant, newId('prj')]);
        if (fate < 0.06) throw new Error('thrown out of');
        if (fate < 0.12) {
          await sql.query("set local statement_timeout = '1ms'");
          await sql.query('select pg_sleep(1)');
        }
        if (fate < 0.18) await sql.query('select pg_cancel_backend(pg_backend_pid()), pg_sleep(1)');
        if (fate < 0.2) await sql.query('select pg_terminate_backend(pg_backend_pid())');
        committing = true;
      });
      written.set(tenant, (written.get(tenant) ?? 0) + 1);
    } catch {
      cancelled++;
      if (committing) unsure.set(tenant, (unsure.get(tenant) ?? 0) + 1);
    }
  }
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      while (left-- > 0) await one();
    }),
  );

  let miscounted = 0;
  let foreign = 0;
  for (const id of ids) {
    const { rows } = await work.inTenant(id, (sql) => sql.query<{ n: number; foreign: number }>("select count(*)::int as n, count(*) filter (where name <> $1)::int as foreign from projects", [id]));
    const n = rows[0]?.n ?? 0;
    const sure = written.get(id) ?? 0;
    if (n < sure || n > sure + (unsure.get(id) ?? 0)) miscounted++;
    foreign += rows[0]?.foreign ?? 0;
  }
  return {
    invariants: [
      invariant('R3 no transaction sees another tenant’s row', wrong === 0, `${wrong} did`),
      invariant('R3 no row stands under another tenant', foreign === 0, `${foreign} do`),
      invariant('R3 what committed is there once, and what was cancelled is not', miscounted === 0, `${miscounted} tenants differ`),
    ],
    figures: { transactions, cancelled },
  };
}

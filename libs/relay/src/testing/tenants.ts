import { eventLog, type StateChange } from '@weir/event-store';
import { fact, newId, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, provisioner, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import type { Pool } from 'pg';

/** A database with tenants whose logs a spec writes, and nobody who publishes them. */
export class Logs {
  private constructor(
    readonly database: TestDatabase,
    readonly pool: Pool,
    readonly admin: Pool,
    private readonly migrator: Pool,
    readonly work: UnitOfWork,
  ) {}

  static async open(): Promise<Logs> {
    const database = await freshDatabase();
    const pool = createPool({ url: database.urlOf('tenant-registry'), name: 'spec/relay', max: 10 });
    const migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 2 });
    const admin = createPool({ url: database.adminUrl, name: 'spec/admin', max: 4 });
    return new Logs(database, pool, admin, migrator, unitOfWork(pool, 'tenant-registry'));
  }

  async newTenant(): Promise<TenantId> {
    const id = newId('ten');
    await provisioner(this.migrator, collectBundle()).provision(id, 'schema');
    return id;
  }

  /** Events that count on from `from`, each in an append of its own. */
  async append(tenant: TenantId, count: number, { from = 0, stream = 'tenant/x', states = [] }: { from?: number; stream?: string; states?: StateChange[] } = {}): Promise<void> {
    const log = eventLog(this.work);
    for (let n = from; n < from + count; n++) {
      await log.append({
        tenant,
        stream,
        expected: 'any',
        events: [fact('tenant.renamed', { name: String(n) })],
        context: { actor: { type: 'operator', id: 'op' }, commandId: newId('op'), at: Date.now(), action: 'spec' },
        states,
      });
    }
  }

  /** Tenants with something unpublished. */
  async waiting(): Promise<string[]> {
    const { rows } = await this.admin.query<{ tenant_id: string }>('select tenant_id from weir.news order by 1');
    return rows.map((row) => row.tenant_id);
  }

  async close(): Promise<void> {
    await Promise.all([this.pool.end(), this.admin.end(), this.migrator.end()]);
    await this.database.drop();
  }
}

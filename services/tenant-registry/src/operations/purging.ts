import { fact, idFrom, sleep, type CommandContext, type TenantId } from '@weir/kernel';
import type { Purger, UnitOfWork } from '@weir/tenancy';
import type { EntitySql } from '@weir/entities';
import { notOffboarded, stillPublishing } from '../errors';
import { TenantRow, type OperationRow } from '../read-models';
import type { TenantService } from '../tenant/tenant.service';
import type { OperationView, Operations } from './operations';
import type { Receipts } from './receipts';

const PUBLISH_WITHIN_MS = 20_000;

/**
 * The end of an offboarded tenant, in steps that may each be done again: everything it said on state topics is withdrawn, by the
 * platform's log, since its own goes; its data go; the receipt stays.
 */
export class Purging {
  constructor(
    private readonly operations: Operations,
    private readonly receipts: Receipts,
    private readonly purger: Purger,
    private readonly tenants: TenantService,
    private readonly work: UnitOfWork<EntitySql>,
  ) {
    operations.handle('tenant.purge', (row) => operations.inTurn(() => this.carryOut(row)));
  }

  async request(tenantId: TenantId, context: CommandContext): Promise<OperationView> {
    if ((await this.tenants.state(tenantId)).is !== 'offboarded') throw notOffboarded();
    return this.operations.begin({ id: idFrom('op', context.commandId, context.at), tenantId, kind: 'tenant.purge', command: { context }, context });
  }

  private async carryOut(row: OperationRow): Promise<string> {
    const tenantId = row.tenantId as TenantId;
    const { context } = row.command as { context: CommandContext };
    if (!(await this.receipts.has(tenantId, 'tenant.purge-started'))) await this.withdraw(tenantId, context);
    const { rows } = await this.purger.purge(tenantId);
    await this.receipts.add(tenantId, fact('tenant.purged', { tenantId, rows }), context);
    await this.work.inEveryControl((sql) => sql.manager.delete(TenantRow, { id: tenantId }));
    return `${Object.values(rows).reduce((sum, n) => sum + n, 0)} rows of ${Object.keys(rows).length} tables`;
  }

  /** A tombstone has the version after the last: whoever reads the topic late finds nothing newer. */
  private async withdraw(tenantId: TenantId, context: CommandContext): Promise<void> {
    const { position, chainHash, states } = await this.published(tenantId);
    await this.receipts.add(tenantId, fact('tenant.purge-started', { tenantId, position, chainHash }), context, {
      platform: (sql) => sql.query('select weir.publish_states($1::jsonb)', [JSON.stringify(states.map(({ topic, key, version }) => ({ topic, key, body: null, version: version + 1 })))]),
    });
  }

  /** What the tenant's own log still has to say comes before its end. */
  private async published(tenantId: TenantId) {
    for (const deadline = Date.now() + PUBLISH_WITHIN_MS; ; await sleep(100)) {
      const words = await this.purger.lastWords(tenantId);
      if (words.published) return words;
      if (Date.now() > deadline) throw stillPublishing();
    }
  }
}


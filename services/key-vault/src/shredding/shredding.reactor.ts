import { Controller } from '@nestjs/common';
import type { BusRecord } from '@weir/bus';
import { eventsTopic } from '@weir/contracts';
import { parseId, type CommandContext } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import { Shredding } from './shredding';

/** A tenant's purge destroys what was sealed for it, in the backups too. */
@Controller()
export class ShreddingReactor {
  constructor(private readonly shredding: Shredding) {}

  @Consumes(eventsTopic('tenant'), 'key-vault.purged-tenants')
  async onTenantEvents(records: readonly BusRecord[]): Promise<void> {
    for (const { headers, value } of records) {
      if (value === null || headers['ce_type'] !== 'tenant.purge-started') continue;
      const { tenantId } = JSON.parse(value.toString('utf8')) as { tenantId?: unknown };
      const tenant = typeof tenantId === 'string' ? parseId('ten', tenantId) : undefined;
      if (tenant === undefined || !this.shredding.possible) continue;
      await this.shredding.shred(tenant, contextOf(headers, tenant));
    }
  }
}

const contextOf = (headers: BusRecord['headers'], tenant: string): CommandContext => ({
  actor: { type: 'service', id: 'key-vault' },
  commandId: `tenant.purge-started/${tenant}`,
  at: Date.parse(headers['ce_time'] ?? '') || 0,
  action: 'tenant.purge-started',
  ...(headers['ce_id'] === undefined ? {} : { causationId: headers['ce_id'] }),
});

import type { CommandContext, TenantId } from '@weir/kernel';
import { exportTenant, type ArchiveHead, type ArchiveManifest, type Databases, type Importer, type UnitOfWork } from '@weir/tenancy';
import type { EntitySql } from '@weir/entities';
import { slugTaken } from '../errors';
import { TenantRow } from '../read-models';
import { imported } from '../tenant/tenant';
import type { TenantService, TenantView } from '../tenant/tenant.service';

/** Tenants as files: out of this installation, and into it. */
export class Archives {
  constructor(
    private readonly databases: Databases,
    private readonly importer: Importer,
    private readonly tenants: TenantService,
    private readonly work: UnitOfWork<EntitySql>,
  ) {}

  async export(tenantId: TenantId, now: number): Promise<AsyncGenerator<Buffer>> {
    const { slug, name } = await this.tenants.state(tenantId);
    return exportTenant(this.databases, tenantId, { slug, name }, now);
  }

  async begin(head: ArchiveHead): Promise<{ lastPart: number }> {
    await this.assertFree(head.about['slug'] ?? '', head.tenant);
    return this.importer.begin(head);
  }

  add = (tenantId: TenantId, part: Buffer): Promise<{ lastPart: number }> => this.importer.add(tenantId, part);
  abandon = (tenantId: TenantId): Promise<void> => this.importer.abandon(tenantId);

  /** Again after a crash in between: the archive is in, and its log does not say so yet. */
  async complete(head: Pick<ArchiveHead, 'tenant' | 'exportedAt'>, manifest: ArchiveManifest, context: CommandContext): Promise<TenantView> {
    await this.importer.complete(head.tenant, manifest).catch(async (error: { code?: string }) => {
      if (error.code !== 'not-found' || (await this.tenants.get(head.tenant)).version === 0) throw error;
    });
    return this.tenants.change(head.tenant, imported({ position: manifest.position, chainHash: manifest.chainHash, exportedAt: head.exportedAt }), context);
  }

  private async assertFree(slug: string, tenantId: TenantId): Promise<void> {
    const others = await this.work.inEveryControl((sql) => sql.manager.findOneBy(TenantRow, { slug }));
    if (others.some((row) => row !== null && row.id !== tenantId)) throw slugTaken(slug);
  }
}

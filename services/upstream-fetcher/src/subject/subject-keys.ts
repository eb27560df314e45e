import type { TenantId } from '@weir/kernel';
import { pseudonymsOf, subjectKey, type SubjectName } from '@weir/subjects';
import type { UnitOfWork } from '@weir/tenancy';

const REMEMBERED = 10_000;

/** Tenants' pseudonym keys, asked for once: they never change. */
export class SubjectKeys {
  private readonly keys = new Map<TenantId, Promise<Buffer>>();

  constructor(private readonly work: UnitOfWork) {}

  async pseudonymsOf(tenant: TenantId, names: readonly SubjectName[]): Promise<string[]> {
    return names.length === 0 ? [] : pseudonymsOf(await this.of(tenant), names);
  }

  of(tenant: TenantId): Promise<Buffer> {
    const known = this.keys.get(tenant);
    if (known !== undefined) return known;
    const key = this.work.inTenant(tenant, (sql) => subjectKey(sql, tenant));
    this.keys.set(tenant, key);
    key.catch(() => this.keys.delete(tenant));
    const oldest = this.keys.size > REMEMBERED ? this.keys.keys().next().value : undefined;
    if (oldest !== undefined) this.keys.delete(oldest);
    return key;
  }
}

import type { StateTable } from '@weir/access';
import type { SubjectSuppressionState } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import { pseudonymOf } from '@weir/subjects';
import type { Endpoint } from '@weir/upstream-catalog';
import { subjectErased } from '../errors';
import type { SubjectKeys } from './subject-keys';
import { subjectsAsked } from './subjects-in';

/** Whom a tenant may not fetch again, from the table in memory. */
export interface Suppressed {
  /**
   * Undefined at once for a tenant that never erased anybody: then nothing is hashed.
   *
   * @throws AppError `subject-erased` when the call asks for somebody who was; `database-unavailable` when the tenant's key cannot be read
   */
  assertAllowed(tenant: TenantId, endpoint: Endpoint, query: string): Promise<void> | undefined;
  /** Whether the table has heard of all of them. */
  known(tenant: TenantId, pseudonyms: readonly string[]): boolean;
}

export function createSuppressed(table: StateTable<SubjectSuppressionState>, keys: SubjectKeys): Suppressed {
  const byTenant = new Map<TenantId, Set<string>>();
  table.onChange((_, now, before) => {
    const changed = now ?? before;
    if (changed === undefined) return;
    const names = byTenant.get(changed.tenantId) ?? new Set();
    if (now === undefined) names.delete(changed.pseudonym);
    else names.add(changed.pseudonym);
    if (names.size === 0) byTenant.delete(changed.tenantId);
    else byTenant.set(changed.tenantId, names);
  });

  async function look(tenant: TenantId, names: ReadonlySet<string>, endpoint: Endpoint, query: string): Promise<void> {
    const asked = subjectsAsked(endpoint, query);
    if (asked.length === 0) return;
    const key = await keys.of(tenant);
    if (asked.some((name) => names.has(pseudonymOf(key, name)))) throw subjectErased();
  }

  return {
    assertAllowed(tenant, endpoint, query) {
      const names = byTenant.get(tenant);
      return names === undefined ? undefined : look(tenant, names, endpoint, query);
    },
    known: (tenant, pseudonyms) => pseudonyms.every((pseudonym) => byTenant.get(tenant)?.has(pseudonym) === true),
  };
}

import { PLATFORM, parseId, type TenantId } from '@weir/kernel';

export const SERVICES = ['tenant-registry', 'key-vault', 'rate-limiter', 'upstream-fetcher', 'metering', 'audit-ledger'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** A service's login role and its control schema bear the same name: `weir_key_vault`. */
export const loginOf = (service: ServiceName): string => `weir_${service.replaceAll('-', '_')}`;

export const MIGRATOR = 'weir_migrator';
/** The role that every service's login is a member of. */
export const SERVICE_GROUP = 'weir_service';

/** A tenant's schema and role: from the id alone, so that no slug, however spelled, becomes a name in the database. */
export function schemaOf(tenant: TenantId): string {
  if (tenant === PLATFORM) return 'weir_platform';
  if (parseId('ten', tenant) === undefined) throw new TypeError('not a tenant id');
  return `t_${tenant.slice('ten_'.length)}`;
}

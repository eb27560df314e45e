import { PLATFORM, parseId, type TenantId } from '@weir/kernel';

export const SERVICES = ['tenant-registry', 'key-vault', 'rate-limiter', 'upstream-fetcher', 'metering', 'audit-ledger'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** A service's login role and its control schema bear the same name: `weir_key_vault`. */
export const loginOf = (service: ServiceName): string => `weir_${service.replaceAll('-', '_')}`;

export const MIGRATOR = 'weir_migrator';
/**
 * Roles that make tenants' roles, and have the admin option on those that they made. Postgres gives it to whoever makes a role, and reads all
 * that a session's role is admin of again after any change to any role: with one maker each new tenant would cost more than the last.
 */
export const MAKERS: readonly string[] = Array.from({ length: 16 }, (_, i) => `weir_maker_${i}`);
export const makerOf = (role: string): string => MAKERS[role.charCodeAt(role.length - 1) % MAKERS.length] as string;

/** The role that every service's login is a member of. */
export const SERVICE_GROUP = 'weir_service';

/** A tenant's schema and role: from the id alone, so that no slug, however spelled, becomes a name in the database. */
export function schemaOf(tenant: TenantId): string {
  if (tenant === PLATFORM) return 'weir_platform';
  if (parseId('ten', tenant) === undefined) throw new TypeError('not a tenant id');
  return `t_${tenant.slice('ten_'.length)}`;
}

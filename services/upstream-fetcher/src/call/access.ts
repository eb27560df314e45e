import type { Access, TokenMode } from '@weir/access';
import type { PlanState, TenantState } from '@weir/contracts';
import type { ProjectId, TenantId, TokenId } from '@weir/kernel';
import { notATenant, tenantSuspended } from '../errors';
import type { Tables } from '../tables';

/** Who calls, and what holds for them. */
export interface Caller {
  readonly tenant: TenantState;
  readonly plan: PlanState;
  /** Null: nobody's of the tenant, such as an operator's job. */
  readonly tokenId: TokenId | null;
  readonly projectId: ProjectId;
  readonly mode: TokenMode;
  readonly purpose: 'call' | 'refresh';
}

/**
 * Step 1: token → tenant, from tables in memory.
 *
 * @throws AppError `unauthenticated`, `forbidden`, `tenant-suspended`, `stale-state`
 */
export function identify(access: Access, tables: Tables, token: string | undefined): Caller {
  const principal = access.authenticate(token);
  if (principal.is === 'operator') throw notATenant();
  const tenant = activeTenant(tables, principal.tenantId);
  access.authorize(principal, 'member', principal.tenantId);
  const { tokenId, projectId, mode } = principal;
  return { tenant, plan: tables.plan(tenant.plan), tokenId, projectId, mode, purpose: 'call' };
}

/** @throws AppError `tenant-suspended`, `stale-state` */
export function activeTenant(tables: Tables, id: TenantId): TenantState {
  const tenant = tables.tenant(id);
  if (tenant.status !== 'active') throw tenantSuspended(tenant.status);
  return tenant;
}

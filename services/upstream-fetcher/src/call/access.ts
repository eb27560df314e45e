import type { Access, TokenMode } from '@weir/access';
import type { PlanState, TenantState } from '@weir/contracts';
import type { ProjectId, TokenId } from '@weir/kernel';
import { notATenant, tenantSuspended } from '../errors';
import type { Tables } from '../tables';

/** Who calls, and what holds for them. */
export interface Caller {
  readonly tenant: TenantState;
  readonly plan: PlanState;
  readonly tokenId: TokenId;
  readonly projectId: ProjectId;
  readonly mode: TokenMode;
}

/**
 * Step 1: token → tenant, from tables in memory.
 *
 * @throws AppError `unauthenticated`, `forbidden`, `tenant-suspended`, `stale-state`
 */
export function identify(access: Access, tables: Tables, token: string | undefined): Caller {
  const principal = access.authenticate(token);
  if (principal.is === 'operator') throw notATenant();
  const tenant = tables.tenant(principal.tenantId);
  if (tenant.status !== 'active') throw tenantSuspended(tenant.status);
  access.authorize(principal, 'member', principal.tenantId);
  const { tokenId, projectId, mode } = principal;
  return { tenant, plan: tables.plan(tenant.plan), tokenId, projectId, mode };
}

import { Controller, Get, Param, Query } from '@nestjs/common';
import { PLATFORM, notFound, parseId, rfc3339, type TenantId } from '@weir/kernel';
import { tenantProgress, waitingTenants, type TenantProgress } from '@weir/relay';
import { Needs, decodeCursor, listed, page, parse } from '@weir/service-host';
import type { Sql } from '@weir/tenancy';
import { z } from 'zod';
import type { TenantService } from '../tenant/tenant.service';

const after = z.tuple([z.number(), z.string()]);

/** Of every tenant, how far the relay is behind its log: what metrics say of a bounded number. */
export class RelayLags {
  /** @param databases each with logs of its own */
  constructor(
    private readonly databases: readonly Sql[],
    private readonly tenants: Pick<TenantService, 'get'>,
  ) {}

  async waiting(limit: number, cursor: string | undefined) {
    const [since, tenant] = decodeCursor(cursor, after) ?? [];
    const rows = await waitingTenants(this.databases, { limit: limit + 1, after: since === undefined ? undefined : { since, tenant: tenant as TenantId } });
    const { data, nextCursor } = listed(rows, limit, (row) => [row.since, row.tenant]);
    return { data: data.map(({ tenant: tenantId, events, seconds, since: from, reEmitting }) => ({ tenantId, events, seconds, since: rfc3339(from / 1_000), reEmitting })), nextCursor };
  }

  /** @throws AppError `not-found` for a tenant that there is not */
  async of(id: string) {
    const tenant = id === PLATFORM ? PLATFORM : parseId('ten', id);
    if (tenant === undefined) throw notFound('tenant');
    if (tenant !== PLATFORM) await this.tenants.get(tenant);
    return view(await tenantProgress(this.databases, tenant));
  }
}

const view = ({ tenant, caughtUpAt, ...rest }: TenantProgress) => ({ tenantId: tenant, ...rest, caughtUpAt: caughtUpAt === null ? null : rfc3339(caughtUpAt) });

@Controller('v1/relay/lag')
export class RelayLagController {
  constructor(private readonly lags: RelayLags) {}

  @Get()
  @Needs('operator', 'Every tenant whose log has something that is not published yet, who waits longest first')
  list(@Query(parse(page)) { limit, cursor }: z.infer<typeof page>) {
    return this.lags.waiting(limit, cursor);
  }

  @Get(':id')
  @Needs('operator', "How far one tenant's log is published, whether it waits or not; `ten_platform` for what belongs to no tenant")
  of(@Param('id') id: string) {
    return this.lags.of(id);
  }
}

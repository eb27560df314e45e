import { Controller, Get, Param } from '@nestjs/common';
import { notFound, type TenantId } from '@weir/kernel';
import { Describes, Needs, Tenant } from '@weir/service-host';
import { UserSnapshots } from './user-snapshot';

@Controller('v1')
export class UserSnapshotController {
  constructor(private readonly snapshots: UserSnapshots) {}

  @Get('tenants/:t/snapshots/users/:user')
  @Needs('member', 'The last stored profile of a user, without a call to the upstream')
  @Describes({
    params: { t: 'The tenant', user: "The user's secUid, or its name" },
    responses: { 200: { description: 'secUid, uniqueId, fetchedAt, expiresAt, and profile as the upstream sent it' } },
  })
  async get(@Tenant() tenant: TenantId, @Param('user') user: string) {
    const snapshot = await this.snapshots.find(tenant, user);
    if (snapshot === undefined) throw notFound('snapshot');
    return snapshot;
  }
}

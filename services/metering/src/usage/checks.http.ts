import { Controller, HttpCode, Post } from '@nestjs/common';
import type { CommandContext, TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant } from '@weir/service-host';
import { RollupChecks } from './checking';

@Controller('v1/tenants/:t/usage')
export class UsageChecksController {
  constructor(private readonly checks: RollupChecks) {}

  @Post('check')
  @HttpCode(200)
  @Needs('operator', 'Compares a tenant’s sums of usage with its records, as far back as these are kept')
  @Describes({ responses: { 200: { description: 'How many rows differ, and the first of them' } } })
  check(@Tenant() tenant: TenantId, @Command() context: CommandContext) {
    return this.checks.check(tenant, { by: context });
  }

  @Post('rebuild')
  @HttpCode(200)
  @Needs('operator', 'Makes the sums of a tenant’s open months anew from its records; closed months stay as they were invoiced')
  @Describes({ responses: { 200: { description: 'What differed before' } } })
  rebuild(@Tenant() tenant: TenantId, @Command() context: CommandContext) {
    return this.checks.rebuild(tenant, context);
  }
}

import { Controller, HttpCode, Post } from '@nestjs/common';
import type { CommandContext, TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant } from '@weir/service-host';
import { Shredding } from './shredding';

@Controller('v1/tenants/:t/upstream-keys/shred')
export class ShreddingController {
  constructor(private readonly shredding: Shredding) {}

  @Post()
  @HttpCode(200)
  @Needs('operator', 'Destroy all keys of the tenant for good: no backup of them opens any more')
  @Describes({ responses: { 200: { description: 'The receipt' } } })
  shred(@Tenant() tenant: TenantId, @Command() context: CommandContext) {
    return this.shredding.shred(tenant, context);
  }
}

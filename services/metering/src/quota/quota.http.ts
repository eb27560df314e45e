import { Controller, Get } from '@nestjs/common';
import type { TenantId } from '@weir/kernel';
import { Needs, Tenant } from '@weir/service-host';
import { QuotaService } from './quota.service';

@Controller('v1/tenants/:t/quota')
export class QuotaController {
  constructor(private readonly quotas: QuotaService) {}

  @Get()
  @Needs('member', 'Credits used and left today and this month')
  get(@Tenant() tenant: TenantId) {
    return this.quotas.get(tenant);
  }
}

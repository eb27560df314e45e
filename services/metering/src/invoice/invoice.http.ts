import { Controller, Get, Inject, Query } from '@nestjs/common';
import { utcMonth, type Clock, type TenantId } from '@weir/kernel';
import { Describes, Needs, Tenant, parse } from '@weir/service-host';
import { z } from 'zod';
import { CLOCK } from '../clock';
import { period } from '../period';
import { InvoiceService } from './invoice.service';

const ofMonth = z.strictObject({ period: period.optional() });

@Controller('v1/tenants/:t/invoices')
export class InvoiceController {
  constructor(
    private readonly invoices: InvoiceService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('preview')
  @Needs('admin', 'What a month costs by what is known now; the current month unless one is named')
  @Describes({ query: ofMonth, responses: { 200: { description: 'Lines and total, exact' } } })
  preview(@Tenant() tenant: TenantId, @Query(parse(ofMonth)) query: z.infer<typeof ofMonth>) {
    return this.invoices.preview(tenant, query.period ?? utcMonth(this.clock()));
  }
}

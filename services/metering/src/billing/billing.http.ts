import { Body, Controller, Get, Put, Res } from '@nestjs/common';
import { billingFault, planTerms } from '@weir/contracts';
import type { CommandContext, TenantId } from '@weir/kernel';
import { Command, Describes, IfMatch, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { period } from '../period';
import { BillingService, type BillingView } from './billing.service';

const exception = z
  .strictObject({
    ...planTerms.shape.billing.shape,
    includedCredits: z.number().int().min(0).max(1e12).default(0),
    from: period,
    until: period.nullable().default(null),
  })
  .superRefine((terms, context) => {
    const fault = billingFault(terms);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, path: ['model'] });
    if (terms.until !== null && terms.from > terms.until) context.addIssue({ code: 'custom', message: 'must not be before from', path: ['until'] });
  });

@Controller('v1/tenants/:t/billing')
export class BillingController {
  constructor(private readonly billing: BillingService) {}

  @Put()
  @Needs('operator', 'Agree on other terms than the plan’s with one tenant, for some months')
  @Describes({ body: exception, responses: { 200: { description: 'The terms in force and every exception' } } })
  async set(
    @Tenant() tenant: TenantId,
    @Body(parse(exception)) body: z.infer<typeof exception>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.billing.set(tenant, body, context, version));
  }

  @Get()
  @Needs('operator', 'What a tenant pays by this month, and every exception')
  async get(@Tenant() tenant: TenantId, @Res({ passthrough: true }) reply: FastifyReply) {
    return tagged(reply, await this.billing.get(tenant));
  }
}

function tagged(reply: FastifyReply, view: BillingView): BillingView {
  void reply.header('etag', `"${view.version}"`);
  return view;
}

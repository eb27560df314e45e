import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { billingFault, planTerms } from '@weir/contracts';
import type { CommandContext } from '@weir/kernel';
import { Command, Describes, Needs, parse } from '@weir/service-host';
import { z } from 'zod';
import { PlanService } from './plan.service';

const planId = z.string().regex(/^[a-z][a-z0-9-]{1,58}$/, 'a plan id has 2 to 59 characters: a to z, 0 to 9 and hyphens');
const terms = planTerms.strict().superRefine(({ billing }, context) => {
  const fault = billingFault(billing);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, path: ['billing'] });
});
const createPlan = z.strictObject({ id: planId, terms });
const createVersion = z.strictObject({ terms });
const publishPlan = z.strictObject({ version: z.number().int().positive().optional() });

@Controller('v1/plans')
export class PlanController {
  constructor(private readonly plans: PlanService) {}

  @Get()
  @Needs('operator', 'List plans and their versions')
  async list() {
    return { data: await this.plans.list(), nextCursor: null };
  }

  @Post()
  @Needs('operator', 'Draft the first version of a plan')
  @Describes({ body: createPlan, responses: { 201: { description: 'The draft' } } })
  create(@Body(parse(createPlan)) { id, terms }: z.infer<typeof createPlan>, @Command() context: CommandContext) {
    return this.plans.draftVersion(id, terms, context);
  }

  @Post(':p/versions')
  @Needs('operator', 'Draft a new version of a plan')
  @Describes({ body: createVersion, responses: { 201: { description: 'The draft' } } })
  version(@Param('p', parse(planId)) id: string, @Body(parse(createVersion)) { terms }: z.infer<typeof createVersion>, @Command() context: CommandContext) {
    return this.plans.draftVersion(id, terms, context);
  }

  @Post(':p/publish')
  @HttpCode(200)
  @Needs('operator', 'Publish a version, the latest unless said otherwise; it never changes again')
  @Describes({ body: publishPlan, responses: { 200: { description: 'The published version' } } })
  publish(@Param('p') id: string, @Body(parse(publishPlan)) { version }: z.infer<typeof publishPlan>, @Command() context: CommandContext) {
    return this.plans.publish(id, version, context);
  }

  @Post(':p/archive')
  @HttpCode(200)
  @Needs('operator', 'Put no tenant on it any more')
  archive(@Param('p') id: string, @Command() context: CommandContext) {
    return this.plans.archive(id, context);
  }
}

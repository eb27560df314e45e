import { Body, Controller, Delete, Get, HttpCode, Param, Put, Res } from '@nestjs/common';
import type { CommandContext, TenantId } from '@weir/kernel';
import { Command, Describes, IfMatch, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { BudgetService } from './budget.service';

const threshold = z.union([z.strictObject({ percent: z.number().positive().max(1_000) }), z.strictObject({ credits: z.number().int().positive().max(1e12) })]);

const budget = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,49}$/, 'a name has 1 to 50 characters: a to z, 0 to 9 and hyphens'),
  projectId: z.string().min(1).max(60).nullable().default(null),
  period: z.enum(['day', 'month']).default('month'),
  limitCredits: z.number().int().min(0).max(1e12),
  /** Refuse calls once it is used up; else it only warns. */
  hard: z.boolean().default(false),
  thresholds: z.array(threshold).max(10).default([{ percent: 50 }, { percent: 80 }, { percent: 100 }]),
  forecast: z.boolean().default(true),
});

@Controller('v1/tenants/:t/budgets')
export class BudgetController {
  constructor(private readonly budgets: BudgetService) {}

  @Get()
  @Needs('admin', 'Budgets, with what is used of each, and where it will be at the end of its period')
  async list(@Tenant() tenant: TenantId) {
    return { data: await this.budgets.list(tenant), nextCursor: null };
  }

  @Put()
  @Needs('admin', 'Set a budget by its name: credits a day or month, of one project or all; thresholds and a forecast warn, a hard one refuses calls')
  @Describes({ body: budget, responses: { 200: { description: 'The budget as it stands' } } })
  async set(
    @Tenant() tenant: TenantId,
    @Body(parse(budget)) body: z.infer<typeof budget>,
    @Command() context: CommandContext,
    @IfMatch() ifVersion: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { budget: set, version } = await this.budgets.set(tenant, body, context, ifVersion);
    void reply.header('etag', `"${version}"`);
    return set;
  }

  @Delete(':name')
  @HttpCode(204)
  @Needs('admin', 'Remove a budget')
  async remove(@Tenant() tenant: TenantId, @Param('name') name: string, @Command() context: CommandContext, @IfMatch() ifVersion: number | undefined) {
    await this.budgets.remove(tenant, name, context, ifVersion);
  }
}

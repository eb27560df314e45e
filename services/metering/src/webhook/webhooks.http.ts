import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import type { CommandContext, TenantId } from '@weir/kernel';
import { Command, Describes, Needs, NotReplayable, Tenant, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import { z } from 'zod';
import { WEBHOOK_TYPES, Webhooks } from './webhooks';

const webhook = z.strictObject({ url: z.string().min(8).max(2_000), types: z.array(z.enum(WEBHOOK_TYPES)).min(1).default([...WEBHOOK_TYPES]) });

@Controller('v1/tenants/:t/webhooks')
export class WebhooksController {
  constructor(private readonly webhooks: Webhooks) {}

  @Post()
  @NotReplayable('The secret of a webhook is given once. List the webhooks, and rotate the secret if you have not kept it.')
  @Needs('admin', 'Have events sent to an https address, signed as Standard Webhooks says; the answer alone has the secret')
  @Describes({ body: webhook, responses: { 201: { description: 'The webhook and its secret' } } })
  create(@Tenant() tenant: TenantId, @Body(parse(webhook)) body: z.infer<typeof webhook>, @Command() context: CommandContext) {
    return this.webhooks.create(tenant, body, context);
  }

  @Get()
  @Needs('admin', 'Webhooks, without their secrets')
  async list(@Tenant() tenant: TenantId) {
    return { data: await this.webhooks.list(tenant), nextCursor: null };
  }

  @Get('deliveries')
  @Needs('admin', 'What was sent or is to be, newest first, with the last attempt of each')
  @Describes({ query: page, responses: { 200: { description: 'A page of deliveries' } } })
  async deliveries(@Tenant() tenant: TenantId, @Query(parse(page)) { limit, cursor }: Page) {
    const rows = await this.webhooks.deliveries(tenant, { limit: limit + 1, before: decodeCursor(cursor, z.string()) });
    return listed(rows, limit, (row) => row.id);
  }

  @Post('deliveries/:d/replay')
  @HttpCode(202)
  @Needs('admin', 'Send a delivery again, under the same webhook-id')
  replay(@Tenant() tenant: TenantId, @Param('d') id: string) {
    return this.webhooks.replay(tenant, id);
  }

  @Post(':w/rotate-secret')
  @HttpCode(200)
  @NotReplayable('A secret is given once. Rotate it again if you have not kept it.')
  @Needs('admin', 'A new secret; the one before is signed with beside it for 24 hours')
  rotate(@Tenant() tenant: TenantId, @Param('w') id: string) {
    return this.webhooks.rotate(tenant, id);
  }

  @Delete(':w')
  @HttpCode(204)
  @Needs('admin', 'Remove a webhook and its deliveries')
  async remove(@Tenant() tenant: TenantId, @Param('w') id: string) {
    await this.webhooks.remove(tenant, id);
  }
}

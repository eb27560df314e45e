import { Body, Controller, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import { notFound, parseId, type CommandContext, type TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { erasureBody, type ErasureBody } from './erasure-form';
import { Erasures } from './erasures.service';

const RECEIPT = { description: 'id, status (running, done), subjects, requested, and what each service removed, each with its place in the log' };

@Controller('v1/tenants/:t')
export class ErasuresController {
  constructor(private readonly erasures: Erasures) {}

  @Post('subjects/erase')
  @HttpCode(202)
  @Needs('admin', 'Forget persons: what is stored of them is removed, and they are not fetched again. The receipt says when it is done')
  @Describes({ body: erasureBody, responses: { 202: RECEIPT } })
  async erase(
    @Tenant() tenant: TenantId,
    @Body(parse(erasureBody)) body: ErasureBody,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const receipt = await this.erasures.request(tenant, body, context);
    void reply.header('location', `/v1/tenants/${tenant}/erasure-receipts/${receipt.id}`);
    return receipt;
  }

  @Get('erasure-receipts/:e')
  @Needs('auditor', 'What became of an erasure')
  @Describes({ responses: { 200: RECEIPT } })
  async receipt(@Tenant() tenant: TenantId, @Param('e') e: string) {
    const id = parseId('era', e);
    if (id === undefined) throw notFound('erasure');
    return this.erasures.receipt(tenant, id);
  }
}

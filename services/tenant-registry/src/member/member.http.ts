import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ROLES } from '@weir/contracts';
import { parseId, type CommandContext, type TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant, parse } from '@weir/service-host';
import { z } from 'zod';
import { memberNotFound } from '../errors';
import { MemberService } from './member.service';

const addMember = z.strictObject({ email: z.email().max(254), role: z.enum(ROLES).default('member') });

@Controller('v1/tenants/:t/members')
export class MemberController {
  constructor(private readonly members: MemberService) {}

  @Post()
  @Needs('admin', 'Give somebody a seat')
  @Describes({ body: addMember, responses: { 201: { description: 'The member' } } })
  add(@Tenant() tenant: TenantId, @Body(parse(addMember)) body: z.infer<typeof addMember>, @Command() context: CommandContext) {
    return this.members.add(tenant, body, context);
  }

  @Get()
  @Needs('admin', 'List members')
  async list(@Tenant() tenant: TenantId) {
    return { data: await this.members.list(tenant), nextCursor: null };
  }

  @Delete(':m')
  @HttpCode(204)
  @Needs('admin', 'Take a seat back')
  async remove(@Tenant() tenant: TenantId, @Param('m') m: string, @Command() context: CommandContext): Promise<void> {
    const id = parseId('mem', m);
    if (id === undefined) throw memberNotFound();
    await this.members.remove(tenant, id, context);
  }
}

import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query, Res } from '@nestjs/common';
import type { Principal } from '@weir/access';
import { LIMIT_NAMES } from '@weir/contracts';
import { parseId, type CommandContext, type ProjectId, type TenantId } from '@weir/kernel';
import { By, Command, Describes, IfMatch, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { projectNotFound } from '../errors';
import { limitName } from './limit-names';
import { LimitPolicyService } from './limit-policy.service';
import { overrideView } from './limit-view';

const ofProject = z.strictObject({ project: z.string().max(60).optional() });
const putOverride = z.strictObject({
  limit: z.number().int().min(0).max(1e9).nullable().default(null),
  refillPerSecond: z.number().positive().max(1e6).nullable().default(null),
  expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
  shadow: z.boolean().default(false),
});
const which = z.strictObject({ shadow: z.enum(['true', 'false']).optional() });
const NAMES = `${LIMIT_NAMES.join(', ')}, endpoint:<id>; or several by a pattern: endpoint:*`;

@Controller('v1/tenants/:t/limits')
export class LimitsController {
  constructor(private readonly policies: LimitPolicyService) {}

  @Get()
  @Needs('member', 'Each limit, its use now and where it comes from')
  @Describes({
    query: ofProject,
    responses: { 200: { description: "The tenant's limits in a project, its token's own unless said otherwise" } },
  })
  async list(
    @Tenant() tenant: TenantId,
    @Query(parse(ofProject)) { project }: z.infer<typeof ofProject>,
    @By() principal: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { limits, version } = await this.policies.limits(tenant, projectOf(project, principal));
    void reply.header('etag', `"${version}"`);
    return { data: limits, nextCursor: null };
  }

  @Put(':name')
  @Needs('operator', "Replace limits of the tenant's plan, or try others in the shadow, until it expires or is removed")
  @Describes({ body: putOverride, params: { name: NAMES }, responses: { 200: { description: 'The override' } } })
  async put(
    @Tenant() tenant: TenantId,
    @Param('name') name: string,
    @Body(parse(putOverride)) { limit, refillPerSecond, expiresAt, shadow }: z.infer<typeof putOverride>,
    @Command() context: CommandContext,
    @IfMatch() ifVersion: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const override = {
      name: limitName(name),
      limit,
      refillPerSecond,
      expiresAt: expiresAt === null ? null : Date.parse(expiresAt),
      shadow,
    };
    const { version } = await this.policies.set(tenant, override, context, ifVersion);
    void reply.header('etag', `"${version}"`);
    return overrideView(override);
  }

  @Delete(':name')
  @HttpCode(204)
  @Needs('operator', "Let the plan's limits hold again, or end a trial in the shadow")
  @Describes({ query: which, params: { name: NAMES }, responses: { 204: { description: 'Gone; it may have been gone before' } } })
  async remove(
    @Tenant() tenant: TenantId,
    @Param('name') name: string,
    @Query(parse(which)) { shadow }: z.infer<typeof which>,
    @Command() context: CommandContext,
    @IfMatch() ifVersion: number | undefined,
  ): Promise<void> {
    await this.policies.remove(tenant, limitName(name), shadow === undefined ? undefined : shadow === 'true', context, ifVersion);
  }
}

function projectOf(text: string | undefined, principal: Principal): ProjectId | undefined {
  if (text === undefined) return principal.is === 'token' ? principal.projectId : undefined;
  const project = parseId('prj', text);
  if (project === undefined) throw projectNotFound();
  return project;
}

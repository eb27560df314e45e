import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query, Res } from '@nestjs/common';
import type { Principal } from '@weir/access';
import { LIMIT_NAMES, type LimitName } from '@weir/contracts';
import { parseId, type CommandContext, type ProjectId, type TenantId } from '@weir/kernel';
import { By, Command, Describes, IfMatch, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { projectNotFound, unknownLimit } from '../errors';
import { LimitPolicyService } from './limit-policy.service';
import { overrideView } from './limit-view';

const ofProject = z.strictObject({ project: z.string().max(60).optional() });
const putOverride = z.strictObject({
  limit: z.number().int().min(0).max(1e9),
  refillPerSecond: z.number().positive().max(1e6).optional(),
  expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
});

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
  @Needs('operator', "Replace one limit of the tenant's plan, until it expires or is removed")
  @Describes({ body: putOverride, params: { name: LIMIT_NAMES.join(', ') }, responses: { 200: { description: 'The override' } } })
  async put(
    @Tenant() tenant: TenantId,
    @Param('name') name: string,
    @Body(parse(putOverride)) { limit, refillPerSecond, expiresAt }: z.infer<typeof putOverride>,
    @Command() context: CommandContext,
    @IfMatch() ifVersion: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const override = {
      name: limitName(name),
      limit,
      refillPerSecond: refillPerSecond ?? null,
      expiresAt: expiresAt === null ? null : Date.parse(expiresAt),
    };
    const { version } = await this.policies.set(tenant, override, context, ifVersion);
    void reply.header('etag', `"${version}"`);
    return overrideView(override);
  }

  @Delete(':name')
  @HttpCode(204)
  @Needs('operator', "Let the plan's limit hold again")
  async remove(
    @Tenant() tenant: TenantId,
    @Param('name') name: string,
    @Command() context: CommandContext,
    @IfMatch() ifVersion: number | undefined,
  ): Promise<void> {
    await this.policies.remove(tenant, limitName(name), context, ifVersion);
  }
}

function limitName(text: string): LimitName {
  const name = LIMIT_NAMES.find((known) => known === text);
  if (name === undefined) throw unknownLimit(text);
  return name;
}

function projectOf(text: string | undefined, principal: Principal): ProjectId | undefined {
  if (text === undefined) return principal.is === 'token' ? principal.projectId : undefined;
  const project = parseId('prj', text);
  if (project === undefined) throw projectNotFound();
  return project;
}

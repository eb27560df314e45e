import { Body, Controller, Get, Headers, HttpCode, Param, Patch, Post, Put, Query, Res } from '@nestjs/common';
import { KEY_MODES } from '@weir/contracts';
import { invalid, parseId, type CommandContext, type OperationId, type TenantId } from '@weir/kernel';
import { Command, Describes, IfMatch, Needs, Tenant, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { operationNotFound } from '../errors';
import { Operations, type OperationView } from '../operations/operations';
import { Placing } from '../operations/placing';
import { Provisioning } from '../operations/provisioning';
import { Purging } from '../operations/purging';
import { IsolationReport } from './isolation';
import { slug } from './slug';
import { offboard, rename, resume, suspend } from './tenant';
import { TenantService, type TenantView } from './tenant.service';

const createTenant = z.strictObject({
  slug,
  name: z.string().trim().min(1).max(200).optional(),
  plan: z.string().min(1).max(60).default('free'),
  keyMode: z.enum(KEY_MODES).optional(),
  placement: z.enum(['schema', 'pooled', 'database']).optional(),
  cluster: z.string().max(40).optional(),
});
const changeTenant = z.strictObject({ name: z.string().trim().min(1).max(200) });
const keyMode = z.strictObject({ mode: z.enum(KEY_MODES) });
const placement = z.discriminatedUnion('placement', [
  z.strictObject({ placement: z.literal('schema') }),
  z.strictObject({ placement: z.literal('pooled') }),
  z.strictObject({ placement: z.literal('database'), cluster: z.string().min(1).max(40) }),
]);
const plan = z.strictObject({ plan: z.string().min(1).max(60), version: z.number().int().positive().optional() });

@Controller('v1')
export class TenantController {
  constructor(
    private readonly tenants: TenantService,
    private readonly operations: Operations,
    private readonly provisioning: Provisioning,
    private readonly placing: Placing,
    private readonly purging: Purging,
    private readonly isolationReport: IsolationReport,
  ) {}

  @Post('tenants')
  @HttpCode(202)
  @Needs('operator', 'Create a tenant; Prefer: wait=10 holds the answer until it is ready')
  @Describes({ body: createTenant, responses: { 202: { description: 'The operation; its tenant once it has succeeded' } } })
  async create(
    @Body(parse(createTenant)) body: z.infer<typeof createTenant>,
    @Headers('prefer') prefer: string | undefined,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { keyMode: mode, placement, ...rest } = body;
    const request = { ...rest, name: body.name ?? body.slug, keyMode: mode, placement, cluster: body.cluster };
    return this.accepted(reply, await this.provisioning.request(request, context), prefer);
  }

  @Get('tenants')
  @Needs('operator', 'List tenants')
  @Describes({ query: page, responses: { 200: { description: 'A page of tenants' } } })
  async list(@Query(parse(page)) { limit, cursor }: Page) {
    const rows = await this.tenants.list({ limit, after: decodeCursor(cursor, z.string()) });
    return listed(rows, limit, (row) => row.id);
  }

  @Get('tenants/:t')
  @Needs('admin', 'Read a tenant')
  async get(@Tenant() id: TenantId, @Res({ passthrough: true }) reply: FastifyReply) {
    return tagged(reply, await this.tenants.get(id));
  }

  @Get('tenants/:t/isolation')
  @Needs('admin', 'Proof of isolation: placement, schema, role, row security, grants, migrations')
  isolation(@Tenant() id: TenantId) {
    return this.isolationReport.of(id);
  }

  @Patch('tenants/:t')
  @Needs('admin', 'Rename a tenant')
  @Describes({ body: changeTenant, responses: { 200: { description: 'The tenant' } } })
  async patch(
    @Tenant() id: TenantId,
    @Body(parse(changeTenant)) { name }: z.infer<typeof changeTenant>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.tenants.change(id, rename(name), context, version));
  }

  @Post('tenants/:t/suspend')
  @HttpCode(200)
  @Needs('operator', 'Refuse every call of a tenant from here on')
  suspend(@Tenant() id: TenantId, @Command() context: CommandContext) {
    return this.tenants.change(id, suspend, context);
  }

  @Post('tenants/:t/resume')
  @HttpCode(200)
  @Needs('operator', 'Let a suspended tenant call again')
  resume(@Tenant() id: TenantId, @Command() context: CommandContext) {
    return this.tenants.change(id, resume, context);
  }

  @Post('tenants/:t/offboard')
  @HttpCode(200)
  @Needs('operator', 'Say goodbye: no calls, the data readable')
  offboard(@Tenant() id: TenantId, @Command() context: CommandContext) {
    return this.tenants.change(id, offboard, context);
  }

  @Put('tenants/:t/key-mode')
  @Needs('admin', "Whose upstream key the tenant's calls use")
  @Describes({ body: keyMode, responses: { 200: { description: 'The tenant' } } })
  async setKeyMode(
    @Tenant() id: TenantId,
    @Body(parse(keyMode)) { mode }: z.infer<typeof keyMode>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.tenants.setKeyMode(id, mode, context, version));
  }

  @Put('tenants/:t/plan')
  @Needs('operator', 'Put a tenant on a plan')
  @Describes({ body: plan, responses: { 200: { description: 'The tenant' } } })
  async setPlan(
    @Tenant() id: TenantId,
    @Body(parse(plan)) body: z.infer<typeof plan>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.tenants.setPlan(id, body.plan, body.version, context, version));
  }

  @Put('tenants/:t/placement')
  @HttpCode(202)
  @Needs('operator', "Move a tenant's data while it works; Prefer: wait=10 holds the answer until it is done")
  @Describes({ body: placement, responses: { 202: { description: 'The operation' } } })
  async setPlacement(
    @Tenant() id: TenantId,
    @Body(parse(placement)) to: z.infer<typeof placement>,
    @Headers('prefer') prefer: string | undefined,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const target = to.placement === 'database' ? { kind: to.placement, cluster: to.cluster } : { kind: to.placement };
    return this.accepted(reply, await this.placing.request(id, target, context), prefer);
  }

  @Post('tenants/:t/purge')
  @HttpCode(202)
  @Needs('operator', 'Take an offboarded tenant\'s data, schema and role away for good; a receipt stays')
  @Describes({ responses: { 202: { description: 'The operation' } } })
  async purge(
    @Tenant() id: TenantId,
    @Headers('prefer') prefer: string | undefined,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.accepted(reply, await this.purging.request(id, context), prefer);
  }

  @Get('operations/:id')
  @Needs('operator', 'How far an operation is')
  operation(@Param('id') text: string) {
    const id = parseId('op', text);
    if (id === undefined) throw operationNotFound();
    return this.operations.get(id);
  }

  private accepted(reply: FastifyReply, operation: OperationView, prefer: string | undefined): OperationView | Promise<OperationView> {
    void reply.header('location', `/v1/operations/${operation.id}`);
    const seconds = waitOf(prefer);
    if (seconds === 0) return operation;
    void reply.header('preference-applied', `wait=${seconds}`);
    return this.operations.wait(operation.id as OperationId, seconds * 1_000);
  }
}

function tagged(reply: FastifyReply, view: TenantView): TenantView {
  void reply.header('etag', `"${view.version}"`);
  return view;
}

const MAX_WAIT_S = 30;

/** RFC 7240: `wait=10` in seconds. */
function waitOf(prefer: string | undefined): number {
  const wait = /(?:^|,)\s*wait=(\d{1,4})\s*(?:,|;|$)/.exec(prefer ?? '')?.[1];
  if (prefer !== undefined && /wait=/.test(prefer) && wait === undefined) throw invalid('Prefer: wait takes whole seconds, such as wait=10.');
  return Math.min(Number(wait ?? 0), MAX_WAIT_S);
}

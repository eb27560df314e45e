import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ROLES } from '@weir/contracts';
import { parseId, type CommandContext, type ProjectId, type TenantId, type TokenId } from '@weir/kernel';
import { Command, Describes, Needs, NotReplayable, Tenant, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import { z } from 'zod';
import { tokenNotFound } from '../errors';
import { ApiTokenService, DEFAULT_GRACE_MS } from './api-token.service';

const SHOWN_ONCE = 'The token of this request was shown once and is kept nowhere. Reroll it, or issue another.';
const YEAR_S = 366 * 86_400;

const issueToken = z.strictObject({
  label: z.string().trim().min(1).max(100).default('token'),
  role: z.enum(ROLES).default('member'),
  mode: z.enum(['live', 'test']).default('live'),
  projectId: z.string().optional(),
  expiresAt: z.iso.datetime().optional(),
});
const rerollToken = z.strictObject({ graceSeconds: z.number().int().min(0).max(YEAR_S).optional() });

@Controller('v1/tenants/:t/tokens')
export class ApiTokenController {
  constructor(private readonly tokens: ApiTokenService) {}

  @Post()
  @Needs('admin', 'Issue a token; the answer shows it once')
  @NotReplayable(SHOWN_ONCE)
  @Describes({ body: issueToken, responses: { 201: { description: 'The token, the one time it is seen' } } })
  issue(@Tenant() tenant: TenantId, @Body(parse(issueToken)) body: z.infer<typeof issueToken>, @Command() context: CommandContext) {
    const expiresAt = body.expiresAt === undefined ? null : Date.parse(body.expiresAt);
    return this.tokens.issue(tenant, { ...body, projectId: body.projectId as ProjectId | undefined, expiresAt }, context);
  }

  @Get()
  @Needs('admin', 'List tokens, without their secrets')
  @Describes({ query: page, responses: { 200: { description: 'A page of tokens' } } })
  async list(@Tenant() tenant: TenantId, @Query(parse(page)) { limit, cursor }: Page) {
    const rows = await this.tokens.list(tenant, { limit, after: decodeCursor(cursor, z.string()) }, Date.now());
    return listed(rows, limit, (row) => row.id);
  }

  @Post(':k/reroll')
  @Needs('admin', 'Issue a successor; the old token works until its grace ends')
  @NotReplayable(SHOWN_ONCE)
  @Describes({ body: rerollToken, responses: { 201: { description: 'The successor, the one time it is seen' } } })
  reroll(@Tenant() tenant: TenantId, @Param('k') k: string, @Body(parse(rerollToken)) body: z.infer<typeof rerollToken>, @Command() context: CommandContext) {
    return this.tokens.reroll(tenant, tokenId(k), body.graceSeconds === undefined ? DEFAULT_GRACE_MS : body.graceSeconds * 1_000, context);
  }

  @Delete(':k')
  @HttpCode(204)
  @Needs('admin', 'Revoke a token')
  async revoke(@Tenant() tenant: TenantId, @Param('k') k: string, @Command() context: CommandContext): Promise<void> {
    await this.tokens.revoke(tenant, tokenId(k), context);
  }
}

function tokenId(text: string): TokenId {
  const id = parseId('tok', text);
  if (id === undefined) throw tokenNotFound();
  return id;
}

import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { CommandContext, TenantId } from '@weir/kernel';
import { Command, Describes, IfMatch, Needs, Tenant, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { CHECKED, REGISTERED, ROTATED, keyIdOf, tagged } from './http-answers';
import { registration, rotation } from './key-form';
import { UpstreamKeyService } from './upstream-key.service';

/** A tenant's own keys. */
@Controller('v1/tenants/:t/upstream-keys')
export class TenantKeysController {
  constructor(private readonly keys: UpstreamKeyService) {}

  @Post()
  @Needs('admin', 'Hand in an upstream key; it is sealed and tried at once')
  @Describes({ body: registration, responses: { 201: REGISTERED } })
  async register(
    @Tenant() tenant: TenantId,
    @Body(parse(registration)) body: z.infer<typeof registration>,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const key = await this.keys.register(tenant, body, context);
    void reply.header('location', `/v1/tenants/${tenant}/upstream-keys/${key.id}`);
    return tagged(reply, key);
  }

  @Get()
  @Needs('admin', 'List upstream keys, never their secrets')
  @Describes({ query: page, responses: { 200: { description: 'A page of keys' } } })
  async list(@Tenant() tenant: TenantId, @Query(parse(page)) { limit, cursor }: Page) {
    const keys = await this.keys.list(tenant, { limit, after: decodeCursor(cursor, z.string()) });
    return listed(keys, limit, (key) => key.id);
  }

  @Get(':k')
  @Needs('admin', 'Read an upstream key: state, versions, scopes, last check; never the key')
  async get(@Tenant() tenant: TenantId, @Param('k') k: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return tagged(reply, await this.keys.get(tenant, keyIdOf(k)));
  }

  @Post(':k/versions')
  @Needs('admin', 'Rotate: the new secret takes over once it is accepted; calls in flight finish on the old one')
  @Describes({ body: rotation, responses: { 201: ROTATED } })
  async rotate(
    @Tenant() tenant: TenantId,
    @Param('k') k: string,
    @Body(parse(rotation)) { key }: z.infer<typeof rotation>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.keys.rotate(tenant, keyIdOf(k), key, context, version));
  }

  @Post(':k/check')
  @HttpCode(200)
  @Needs('admin', 'Try the key against the upstream now')
  @Describes({ responses: { 200: CHECKED } })
  async check(
    @Tenant() tenant: TenantId,
    @Param('k') k: string,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.keys.check(tenant, keyIdOf(k), context, version));
  }

  @Delete(':k')
  @HttpCode(204)
  @Needs('admin', 'Destroy every version of the key')
  async remove(
    @Tenant() tenant: TenantId,
    @Param('k') k: string,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
  ): Promise<void> {
    await this.keys.remove(tenant, keyIdOf(k), context, version);
  }
}

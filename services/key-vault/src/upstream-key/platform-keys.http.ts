import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Res } from '@nestjs/common';
import { PLATFORM, type CommandContext } from '@weir/kernel';
import { Command, Describes, IfMatch, Needs, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { PlatformPool } from '../platform-pool/platform-pool';
import { CHECKED, REGISTERED, ROTATED, keyIdOf, tagged } from './http-answers';
import { platformChange, platformRegistration, rotation } from './key-form';
import { quarantine, reinstate, setWeight } from './upstream-key';
import { UpstreamKeyService } from './upstream-key.service';

const since = z.strictObject({ hours: z.coerce.number().int().min(1).max(168).default(24) });
const because = z.strictObject({ because: z.string().trim().min(1).max(200).default('by the operator') });

/** The platform's own keys, which shared tenants draw on. */
@Controller('v1/upstream-keys')
export class PlatformKeysController {
  constructor(
    private readonly keys: UpstreamKeyService,
    private readonly pool: PlatformPool,
  ) {}

  @Post()
  @Needs('operator', "Hand in a key of the platform's own; it is sealed and tried at once")
  @Describes({ body: platformRegistration, responses: { 201: REGISTERED } })
  async register(
    @Body(parse(platformRegistration)) body: z.infer<typeof platformRegistration>,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const key = await this.keys.register(PLATFORM, body, context);
    void reply.header('location', `/v1/upstream-keys/${key.id}`);
    return tagged(reply, key);
  }

  @Get()
  @Needs('operator', "List the platform's keys, never their secrets")
  @Describes({ query: page, responses: { 200: { description: 'A page of keys' } } })
  async list(@Query(parse(page)) { limit, cursor }: Page) {
    const keys = await this.keys.list(PLATFORM, { limit, after: decodeCursor(cursor, z.string()) });
    return listed(keys, limit, (key) => key.id);
  }

  @Get(':k')
  @Needs('operator', "Read one of the platform's keys; never the key")
  async get(@Param('k') k: string, @Res({ passthrough: true }) reply: FastifyReply) {
    return tagged(reply, await this.keys.get(PLATFORM, keyIdOf(k)));
  }

  @Patch(':k')
  @Needs('operator', 'Weigh the key against the rest of the pool')
  @Describes({ body: platformChange, responses: { 200: { description: 'The key' } } })
  async weigh(
    @Param('k') k: string,
    @Body(parse(platformChange)) { weight }: z.infer<typeof platformChange>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.keys.change(PLATFORM, keyIdOf(k), setWeight(weight), context, version));
  }

  @Get(':k/credits')
  @Needs('operator', 'Credits left, how many go a day, and when they end at that rate')
  credits(@Param('k') k: string) {
    return this.pool.credits(keyIdOf(k));
  }

  @Get(':k/touched')
  @Needs('operator', 'Which tenants called with the key of late, and with which keys they call since: the report of a quarantine')
  @Describes({ query: since, responses: { 200: { description: 'Tenants, and the rest of the pool' } } })
  touched(@Param('k') k: string, @Query(parse(since)) { hours }: z.infer<typeof since>) {
    return this.pool.touched(keyIdOf(k), hours);
  }

  @Post(':k/versions')
  @Needs('operator', 'Rotate: the new secret takes over once it is accepted; calls in flight finish on the old one')
  @Describes({ body: rotation, responses: { 201: ROTATED } })
  async rotate(
    @Param('k') k: string,
    @Body(parse(rotation)) { key }: z.infer<typeof rotation>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.keys.rotate(PLATFORM, keyIdOf(k), key, context, version));
  }

  @Post(':k/check')
  @HttpCode(200)
  @Needs('operator', 'Try the key against the upstream now')
  @Describes({ responses: { 200: CHECKED } })
  async check(
    @Param('k') k: string,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.keys.check(PLATFORM, keyIdOf(k), context, version));
  }

  @Post(':k/quarantine')
  @HttpCode(200)
  @Needs('operator', 'Let no call use the key until it is reinstated')
  @Describes({ body: because, responses: { 200: { description: 'The key' } } })
  async quarantine(
    @Param('k') k: string,
    @Body(parse(because)) body: z.infer<typeof because>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.keys.change(PLATFORM, keyIdOf(k), quarantine(body), context, version));
  }

  @Post(':k/reinstate')
  @HttpCode(200)
  @Needs('operator', 'Let calls use the key again')
  @Describes({ body: because, responses: { 200: { description: 'The key' } } })
  async reinstate(
    @Param('k') k: string,
    @Body(parse(because)) body: z.infer<typeof because>,
    @Command() context: CommandContext,
    @IfMatch() version: number | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return tagged(reply, await this.keys.change(PLATFORM, keyIdOf(k), reinstate(body), context, version));
  }

  @Delete(':k')
  @HttpCode(204)
  @Needs('operator', 'Destroy every version of the key')
  async remove(@Param('k') k: string, @Command() context: CommandContext, @IfMatch() version: number | undefined): Promise<void> {
    await this.keys.remove(PLATFORM, keyIdOf(k), context, version);
  }
}

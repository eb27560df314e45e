import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { parseId, type CommandContext } from '@weir/kernel';
import { Command, Describes, Needs, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { rotationNotFound } from '../errors';
import { KeyRotationService } from './key-rotation.service';
import { PARTS } from './rotation';

const request = z.strictObject({
  of: z
    .array(z.enum(PARTS))
    .min(1)
    .transform((of) => PARTS.filter((part) => of.includes(part)))
    .default([...PARTS]),
});
const listing = z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(20) });

/** Rotations of what seals the upstream keys, over all tenants; that of one upstream key is POST …/versions. */
@Controller('v1/key-rotations')
export class KeyRotationsController {
  constructor(private readonly rotations: KeyRotationService) {}

  @Post()
  @HttpCode(202)
  @Needs('operator', "Renew every tenant's data key, the key-encryption key, or both, while calls go on")
  @Describes({ body: request, responses: { 202: { description: 'The rotation; it goes on by itself, after a crash too' } } })
  async start(
    @Body(parse(request)) { of }: z.infer<typeof request>,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const rotation = await this.rotations.request(of, context);
    void reply.header('location', `/v1/key-rotations/${rotation.id}`);
    return rotation;
  }

  @Get()
  @Needs('operator', 'List rotations, the newest first')
  @Describes({ query: listing, responses: { 200: { description: 'Rotations with their reports' } } })
  async list(@Query(parse(listing)) { limit }: z.infer<typeof listing>) {
    return { data: await this.rotations.list(limit), nextCursor: null };
  }

  @Get(':id')
  @Needs('operator', 'Read a rotation: how far it is; at its end the signed report on what is under which key')
  async get(@Param('id') id: string) {
    const rotation = parseId('op', id);
    if (rotation === undefined) throw rotationNotFound();
    return this.rotations.get(rotation);
  }
}

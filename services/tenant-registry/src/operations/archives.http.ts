import { Readable } from 'node:stream';
import { Body, Controller, Delete, Get, HttpCode, Post, Res } from '@nestjs/common';
import type { Access } from '@weir/access';
import { parseId, type CommandContext, type TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant, assertOneAuthorization, parse, sendProblem, tenantOf, toAppError, type WeirRequest } from '@weir/service-host';
import type { ArchiveHead, ArchiveManifest } from '@weir/tenancy';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Archives } from './archives';

export const PART = 'application/vnd.weir.tenant-part';
/** One row may be as long as the longest body that the fetcher keeps; parts of shorter rows are a quarter of a MiB. */
const PART_LIMIT = 64 * 1024 * 1024;

const head = z.strictObject({
  format: z.string(),
  version: z.number().int(),
  tenant: z.custom<TenantId>((v) => typeof v === 'string' && parseId('ten', v) !== undefined, 'ten_…'),
  exportedAt: z.iso.datetime(),
  applied: z.array(z.string()),
  about: z.record(z.string(), z.string()),
});
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.number().int().nonnegative();
const complete = z.strictObject({
  exportedAt: z.iso.datetime(),
  manifest: z.strictObject({ parts: count, position: count, chainHash: hex, tables: z.array(z.strictObject({ table: z.string(), rows: count, digest: z.string() })), sha256: z.union([hex, z.literal('')]) }),
});

@Controller('v1')
export class ArchivesController {
  constructor(private readonly archives: Archives) {}

  @Get('tenants/:t/export')
  @Needs('operator', 'A tenant as an archive: its log and all its tables, sealed keys as they are')
  @Describes({ responses: { 200: { description: 'The archive' } } })
  async export(@Tenant() id: TenantId, @Command() context: CommandContext, @Res({ passthrough: true }) reply: FastifyReply): Promise<Readable> {
    const archive = await this.archives.export(id, context.at);
    void reply.header('content-type', 'application/vnd.weir.tenant');
    return Readable.from(archive);
  }

  @Post('tenant-imports')
  @HttpCode(200)
  @Needs('operator', "Begin to take an archive in, or go on: the answer says which part is the last that is in")
  @Describes({ body: head, responses: { 200: { description: 'The last part that is in' } } })
  begin(@Body(parse(head)) body: z.infer<typeof head>) {
    return this.archives.begin(body satisfies ArchiveHead);
  }

  @Post('tenant-imports/:t/complete')
  @HttpCode(200)
  @Needs('operator', 'After the last part: compare with what was exported, and open the tenant')
  @Describes({ body: complete, responses: { 200: { description: 'The tenant' } } })
  complete(@Tenant() id: TenantId, @Body(parse(complete)) { exportedAt, manifest }: z.infer<typeof complete>, @Command() context: CommandContext) {
    return this.archives.complete({ tenant: id, exportedAt }, manifest satisfies ArchiveManifest, context);
  }

  @Delete('tenant-imports/:t')
  @HttpCode(204)
  @Needs('operator', 'Give an import up, and take away what has come')
  abandon(@Tenant() id: TenantId): Promise<void> {
    return this.archives.abandon(id);
  }
}

/** Parts are bytes and may be long: a route past Nest, with a limit of its own. */
export const partRoutes =
  (archives: Archives, access: Access, log: Logger) =>
  (fastify: FastifyInstance): void => {
    void fastify.register(async (scope) => {
      scope.addContentTypeParser(PART, { parseAs: 'buffer', bodyLimit: PART_LIMIT }, (_, body, done) => done(null, body));
      scope.post('/v1/tenant-imports/:t/parts', { bodyLimit: PART_LIMIT }, async (request, reply) => {
        try {
          assertOneAuthorization(request as WeirRequest);
          access.authorize(access.authenticate(request.headers.authorization), 'operator', undefined);
          return await archives.add(tenantOf(request as WeirRequest), request.body as Buffer);
        } catch (error) {
          sendProblem(reply, request, toAppError(error), log);
          return reply;
        }
      });
    });
  };

import { Readable } from 'node:stream';
import { Controller, Get, Query, Res } from '@nestjs/common';
import { PLATFORM, type TenantId } from '@weir/kernel';
import { Describes, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { LogExport } from './log-export';

const query = z.strictObject({
  /** Position; what comes after it. 0, all of the log, unless said otherwise. */
  after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
});
type Asked = z.infer<typeof query>;

const DOCS = {
  query,
  responses: { 200: { description: 'NDJSON: an event a line, oldest first, and a manifest as the last line; `weir verify` reads it' } },
};

@Controller('v1')
export class ExportController {
  constructor(private readonly exports: LogExport) {}

  @Get('tenants/:t/audit/export')
  @Needs('auditor', "A tenant's log as a file that can be verified without Weir")
  @Describes(DOCS)
  ofTenant(@Tenant() tenant: TenantId, @Query(parse(query)) { after }: Asked, @Res() reply: FastifyReply) {
    return this.answer(tenant, after, reply);
  }

  @Get('platform/audit/export')
  @Needs('operator', "The platform's own log as a file that can be verified without Weir")
  @Describes(DOCS)
  ofPlatform(@Query(parse(query)) { after }: Asked, @Res() reply: FastifyReply) {
    return this.answer(PLATFORM, after, reply);
  }

  private async answer(log: TenantId, after: number, reply: FastifyReply): Promise<void> {
    const text = await this.exports.open(log, after);
    await reply
      .header('content-type', 'application/x-ndjson')
      .header('content-disposition', `attachment; filename="${log}-after-${after}.ndjson"`)
      .send(Readable.from(text));
  }
}

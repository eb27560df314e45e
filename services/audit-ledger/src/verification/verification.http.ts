import { Controller, HttpCode, Post } from '@nestjs/common';
import { PLATFORM, type CommandContext, type TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant } from '@weir/service-host';
import { z } from 'zod';
import { VerificationService } from './verification.service';

const verification = z.object({
  result: z.enum(['intact', 'broken']),
  events: z.number(),
  position: z.number(),
  head: z.string(),
  firstBreak: z.number().nullable(),
  because: z.enum(['gap', 'content-altered', 'chain-broken', 'truncated', 'beyond-head', 'rewritten']).nullable(),
  witnessed: z.object({ position: z.number(), at: z.string() }).nullable(),
  receipt: z.object({ log: z.enum(['own', 'platform']), position: z.number() }),
});
const DOCS = {
  responses: { 200: { description: 'What was found; the log has an audit.verified event of it', schema: verification } },
};

@Controller('v1')
export class VerificationController {
  constructor(private readonly verifications: VerificationService) {}

  @Post('tenants/:t/audit/verify')
  @HttpCode(200)
  @Needs('auditor', "Follow a tenant's chain of events from its beginning")
  @Describes(DOCS)
  ofTenant(@Tenant() tenant: TenantId, @Command() context: CommandContext) {
    return this.verifications.verify(tenant, context);
  }

  @Post('platform/audit/verify')
  @HttpCode(200)
  @Needs('operator', "Follow the chain of the platform's own log")
  @Describes(DOCS)
  ofPlatform(@Command() context: CommandContext) {
    return this.verifications.verify(PLATFORM, context);
  }
}

import { Body, Controller, Delete, Get, HttpCode, Put } from '@nestjs/common';
import type { CommandContext, TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant, parse } from '@weir/service-host';
import { z } from 'zod';
import { OwnKmsKeys } from './own-kms-key';

/** Of a key and not of an alias: what an alias means can be changed by others, and another account's alias cannot be named. */
export const kmsKeyArn = z.string().regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]{1,64}$/, 'the ARN of a KMS key, arn:aws:kms:<region>:<account>:key/<id>');
const setting = z.strictObject({ kmsKeyId: kmsKeyArn });
const MOVES = { description: 'The setting, and the rotation that moves what is sealed' };

/** The KMS key of a tenant's own; its policy and the vault's have to allow it first, which is why an operator sets it. */
@Controller('v1/tenants/:t/kms-key')
export class OwnKmsKeyController {
  constructor(private readonly kmsKeys: OwnKmsKeys) {}

  @Get()
  @Needs('auditor', "Read under which KMS key the tenant's data keys are made")
  get(@Tenant() tenant: TenantId) {
    return this.kmsKeys.get(tenant);
  }

  @Put()
  @HttpCode(202)
  @Needs('operator', "Make the tenant's data keys under a KMS key of its own, and move what is sealed there")
  @Describes({ body: setting, responses: { 202: MOVES } })
  set(@Tenant() tenant: TenantId, @Body(parse(setting)) { kmsKeyId }: z.infer<typeof setting>, @Command() context: CommandContext) {
    return this.kmsKeys.set(tenant, kmsKeyId, context);
  }

  @Delete()
  @HttpCode(202)
  @Needs('operator', "Go back under the platform's KMS key")
  @Describes({ responses: { 202: MOVES } })
  clear(@Tenant() tenant: TenantId, @Command() context: CommandContext) {
    return this.kmsKeys.set(tenant, null, context);
  }
}

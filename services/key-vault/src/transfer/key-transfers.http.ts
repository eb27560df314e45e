import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import type { CommandContext, TenantId } from '@weir/kernel';
import { Command, Describes, Needs, NotReplayable, Tenant, parse } from '@weir/service-host';
import { z } from 'zod';
import { kmsKeyArn } from '../own-kms-key/own-kms-key.http';
import { keyPackage, transferKey } from './key-package';
import { KeyTransfers } from './key-transfers';

const recipient = z.union([z.strictObject({ kmsKeyId: kmsKeyArn }), z.strictObject({ transferKey })]);
const taking = z.strictObject({ keys: keyPackage, transferKey: transferKey.optional() });

@Controller('v1/tenants/:t/upstream-keys')
export class KeyTransfersController {
  constructor(private readonly transfers: KeyTransfers) {}

  @Post('hand-over')
  @HttpCode(200)
  // kept in a table for replays it would be in the backups
  @NotReplayable('The package is kept nowhere: hand the keys over again.')
  @Needs('operator', "Wrap the tenant's data keys for another installation, so that its upstream keys open there with its archive")
  @Describes({ body: recipient, responses: { 200: { description: 'The package that goes with the archive' } } })
  handOver(@Tenant() tenant: TenantId, @Body(parse(recipient)) to: z.infer<typeof recipient>, @Command() context: CommandContext) {
    return this.transfers.handOver(tenant, to, context);
  }

  @Post('take-over')
  @HttpCode(200)
  @Needs('operator', "After an import: open the tenant's upstream keys with the package of its archive, and seal them under keys of this installation")
  @Describes({ body: taking, responses: { 200: { description: 'How many were taken over' } } })
  takeOver(@Tenant() tenant: TenantId, @Body(parse(taking)) { keys, transferKey }: z.infer<typeof taking>, @Command() context: CommandContext) {
    return this.transfers.takeOver(tenant, keys, transferKey, context);
  }
}

import { Controller, Get, Param, Query } from '@nestjs/common';
import { parseId } from '@weir/kernel';
import { Describes, Needs, parse } from '@weir/service-host';
import { z } from 'zod';
import { keyNotFound } from '../errors';
import { SharesService } from './shares.service';

const window = z.strictObject({ minutes: z.coerce.number().int().min(1).max(120).default(5) });

@Controller('v1/upstream-keys')
export class SharesController {
  constructor(private readonly shares: SharesService) {}

  @Get(':k/shares')
  @Needs('operator', 'Who asked a key for how much over the last minutes and got it, and how fair that was')
  @Describes({ query: window, responses: { 200: { description: 'Shares by tenant, and the fairness index' } } })
  of(@Param('k') text: string, @Query(parse(window)) { minutes }: z.infer<typeof window>) {
    const keyId = parseId('key', text);
    if (keyId === undefined) throw keyNotFound();
    return this.shares.of(keyId, minutes);
  }
}

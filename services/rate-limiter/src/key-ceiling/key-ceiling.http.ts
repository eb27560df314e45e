import { Body, Controller, Delete, Param, Put } from '@nestjs/common';
import { parseId, type CommandContext, type KeyId } from '@weir/kernel';
import { Command, Describes, Needs, parse } from '@weir/service-host';
import { z } from 'zod';
import { keyNotFound } from '../errors';
import { KeyCeilings } from './key-ceiling.service';

const putCeiling = z.strictObject({
  perMinute: z.number().positive().max(1e6),
  burst: z.number().int().min(1).max(1e6),
  concurrency: z.number().int().min(0).max(1e6).default(0),
});

@Controller('v1/upstream-keys')
export class KeyCeilingController {
  constructor(private readonly ceilings: KeyCeilings) {}

  @Put(':k/ceiling')
  @Needs('operator', 'What a key gives at most: what was agreed with the upstream for it. Less is learned from its refusals')
  @Describes({ body: putCeiling, responses: { 200: { description: 'The ceiling as it holds now' } } })
  put(@Param('k') key: string, @Body(parse(putCeiling)) ceiling: z.infer<typeof putCeiling>, @Command() context: CommandContext) {
    return this.ceilings.configure(keyOf(key), ceiling, context);
  }

  @Delete(':k/ceiling')
  @Needs('operator', 'What the upstream sells every key is the most again')
  @Describes({ responses: { 200: { description: 'The ceiling as it holds now' } } })
  remove(@Param('k') key: string, @Command() context: CommandContext) {
    return this.ceilings.configure(keyOf(key), undefined, context);
  }
}

function keyOf(text: string): KeyId {
  const keyId = parseId('key', text);
  if (keyId === undefined) throw keyNotFound();
  return keyId;
}

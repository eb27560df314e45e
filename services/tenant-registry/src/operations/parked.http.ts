import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { rfc3339, type CommandContext } from '@weir/kernel';
import { Command, Needs, decodeCursor, listed, page, parse } from '@weir/service-host';
import { z } from 'zod';
import { PARKED_STATES, ParkedMessages, type ParkedRow, type WholeParkedRow } from './parked-messages';

const query = page.extend({ state: z.enum(PARKED_STATES).optional(), group: z.string().max(200).optional() });

@Controller('v1/parked')
export class ParkedController {
  constructor(private readonly parked: ParkedMessages) {}

  @Get()
  @Needs('operator', 'Messages that could not be handled, with the reason')
  async list(@Query(parse(query)) { limit, cursor, ...filter }: z.infer<typeof query>) {
    const rows = await this.parked.list(filter, limit, decodeCursor(cursor, z.string()));
    const { data, nextCursor } = listed(rows, limit, (row) => row.id);
    return { data: data.map(view), nextCursor };
  }

  @Get(':id')
  @Needs('operator', 'One of them, with its headers and its payload, of which the first 64 KiB')
  async show(@Param('id') id: string) {
    return wholeView(await this.parked.show(id));
  }

  @Post(':id/release')
  @HttpCode(200)
  @Needs('operator', 'Hand the message to its consumer again, with all that is parked of its key, in order; Weir-Reason says why')
  async release(@Param('id') id: string, @Command() context: CommandContext) {
    return view(await this.parked.release(id, context));
  }

  @Post(':id/drop')
  @HttpCode(200)
  @Needs('operator', 'Give this message up; Weir-Reason says why')
  async drop(@Param('id') id: string, @Command() context: CommandContext) {
    return view(await this.parked.drop(id, context));
  }
}

const time = (date: Date | null): string | null => (date === null ? null : rfc3339(date.getTime()));

const view = ({ error_code, parked_at, decided_by, decided_at, decision_reason, ...row }: ParkedRow) => ({
  ...row,
  errorCode: error_code,
  parkedAt: time(parked_at),
  decidedBy: decided_by,
  decidedAt: time(decided_at),
  decisionReason: decision_reason,
});

function wholeView({ headers, at, bytes, head, ...row }: WholeParkedRow) {
  return { ...view(row), publishedAt: rfc3339(Number(at)), headers, payload: head === null ? null : { bytes, truncated: head.length < (bytes ?? 0), ...readable(head) } };
}

/** As text where it is text, and not parsed: JSON's large numbers would not survive that. */
function readable(head: Buffer): { encoding: 'utf-8' | 'base64'; content: string } {
  const content = head.toString('utf8');
  // a cut may go through a character
  return content.replace(/\uFFFD{1,3}$/, '').includes('\uFFFD') || content.includes('\0') ? { encoding: 'base64', content: head.toString('base64') } : { encoding: 'utf-8', content };
}

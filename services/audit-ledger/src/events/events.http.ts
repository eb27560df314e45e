import { Readable } from 'node:stream';
import { Controller, Get, Headers, Query, Res } from '@nestjs/common';
import { eventJson, eventLines, type StoredEvent } from '@weir/audit-format';
import { PLATFORM, type TenantId } from '@weir/kernel';
import { Describes, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { bookmarkText, parseBookmark } from './bookmark';
import { EventSearch } from './event-search';

const NDJSON = 'application/x-ndjson';

const position = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
// in the years and offsets that Postgres knows too
const instant = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= 0, 'is before 1970')
  .transform((text) => (text.endsWith('Z') ? text : new Date(text).toISOString()));
const search = z.strictObject({
  after: position.optional(),
  /** What nextCursor said. */
  cursor: z.string().max(60).optional(),
  type: z.string().max(100).optional(),
  actor: z.string().max(100).optional(),
  request: z.string().max(100).optional(),
  from: instant.optional(),
  to: instant.optional(),
  /** Of a page of JSON 50 unless said otherwise and 500 at most; NDJSON has no end of its own. */
  limit: z.coerce.number().int().min(1).max(10_000_000).optional(),
});
type Search = z.infer<typeof search>;

const DOCS = {
  query: search,
  responses: { 200: { description: `Events, oldest first: a page, or with Accept: ${NDJSON} all of them, one a line` } },
};

@Controller('v1')
export class EventsController {
  constructor(private readonly events: EventSearch) {}

  @Get('tenants/:t/events')
  @Needs('auditor', "A tenant's events")
  @Describes(DOCS)
  ofTenant(
    @Tenant() tenant: TenantId,
    @Query(parse(search)) query: Search,
    @Headers('accept') accept: string | undefined,
    @Res() reply: FastifyReply,
  ) {
    return this.answer(tenant, query, accept, reply);
  }

  @Get('platform/events')
  @Needs('operator', 'Events of what belongs to no tenant: plans, platform keys, provisioning')
  @Describes(DOCS)
  ofPlatform(@Query(parse(search)) query: Search, @Headers('accept') accept: string | undefined, @Res() reply: FastifyReply) {
    return this.answer(PLATFORM, query, accept, reply);
  }

  private async answer(log: TenantId, query: Search, accept: string | undefined, reply: FastifyReply): Promise<void> {
    const { limit, cursor, ...filter } = query;
    const bookmark = cursor === undefined ? undefined : parseBookmark(cursor, filter);
    if (accept?.includes(NDJSON) === true) {
      const pages = this.events.all(log, filter, limit, bookmark);
      // the first page before the status line: a log that cannot be read is a problem, not an empty answer
      const first = await pages.next();
      await reply.header('content-type', NDJSON).send(Readable.from(lines(first.value ?? [], pages)));
      return;
    }
    const size = Math.min(limit ?? 50, 500);
    const found = await this.events.page(log, filter, size + 1, bookmark);
    const data = found.slice(0, size);
    const last = found.length > size ? data.at(-1) : undefined;
    const nextCursor = last === undefined ? 'null' : JSON.stringify(bookmarkText(last, filter));
    await reply
      .header('content-type', 'application/json; charset=utf-8')
      .send(`{"data":[${data.map(eventJson).join(',')}],"nextCursor":${nextCursor}}`);
  }
}

async function* lines(first: readonly StoredEvent[], rest: AsyncIterable<readonly StoredEvent[]>): AsyncGenerator<string> {
  if (first.length > 0) yield eventLines(first);
  for await (const page of rest) if (page.length > 0) yield eventLines(page);
}

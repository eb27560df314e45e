import { Readable } from 'node:stream';
import { Controller, Get, Headers, Query, Res } from '@nestjs/common';
import type { StoredEvent } from '@weir/event-store';
import { PLATFORM, type TenantId } from '@weir/kernel';
import { Describes, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { eventJson } from './event-json';
import { EventSearch } from './event-search';

const NDJSON = 'application/x-ndjson';

const position = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const instant = z.iso.datetime({ offset: true });
const search = z.strictObject({
  after: position.optional(),
  /** The same as `after`: what nextCursor says. */
  cursor: position.optional(),
  type: z.string().max(100).optional(),
  actor: z.string().max(100).optional(),
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
    const { limit, cursor, after = cursor ?? 0, ...rest } = query;
    const filter = { ...rest, after };
    if (accept?.includes(NDJSON) === true) {
      const pages = this.events.all(log, filter, limit);
      // the first page before the status line: a log that cannot be read is a problem, not an empty export
      const first = await pages.next();
      await reply.header('content-type', NDJSON).send(Readable.from(lines(first.value ?? [], pages)));
      return;
    }
    const size = Math.min(limit ?? 50, 500);
    const found = await this.events.page(log, filter, size + 1);
    const data = found.slice(0, size);
    const nextCursor = found.length > size ? JSON.stringify(String(data.at(-1)?.position)) : 'null';
    await reply
      .header('content-type', 'application/json; charset=utf-8')
      .send(`{"data":[${data.map(eventJson).join(',')}],"nextCursor":${nextCursor}}`);
  }
}

async function* lines(first: readonly StoredEvent[], rest: AsyncIterable<readonly StoredEvent[]>): AsyncGenerator<string> {
  if (first.length > 0) yield text(first);
  for await (const page of rest) if (page.length > 0) yield text(page);
}

const text = (events: readonly StoredEvent[]): string => events.map((event) => `${eventJson(event)}\n`).join('');

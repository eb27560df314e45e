import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { TOPICS } from '@weir/contracts';
import { reEmit, reEmittable, relayLag } from '@weir/relay';
import { Describes, Needs, parse } from '@weir/service-host';
import type { Sql } from '@weir/tenancy';
import { z } from 'zod';

const reEmission = z.strictObject({
  topics: z
    .array(z.string().refine((name) => reEmittable.includes(name), 'no topic that the logs can fill again; GET /v1/topics says which'))
    .nonempty()
    .optional(),
});

/** The topics of the bus, and filling them again from the logs. */
export class Topics {
  /** @param databases each with logs of its own */
  constructor(private readonly databases: readonly Sql[]) {}

  async state() {
    const { worst, ...total } = await relayLag(this.databases);
    const lag = { ...total, furthestBehind: worst.map(({ tenant, ...behind }) => ({ tenantId: tenant, ...behind })) };
    return { data: TOPICS.map((topic) => ({ ...topic, reEmittable: reEmittable.includes(topic.name) })), nextCursor: null, lag };
  }

  async reEmit(topics: readonly string[] | undefined) {
    const tenants = await Promise.all(this.databases.map((sql) => reEmit(sql, topics)));
    return { topics: topics ?? reEmittable, tenants: tenants.reduce((sum, count) => sum + count, 0) };
  }
}

@Controller('v1/topics')
export class TopicsController {
  constructor(private readonly topics: Topics) {}

  @Get()
  @Needs('operator', 'The topics as they are declared, and how far the relays are behind')
  list() {
    return this.topics.state();
  }

  @Post('re-emit')
  @HttpCode(202)
  @Needs('operator', 'Publish every log again from its beginning, under the same event ids, and every state as it is in force')
  @Describes({ body: reEmission, responses: { 202: { description: 'The relays have been told; the lag of GET /v1/topics shows how far they are' } } })
  reEmit(@Body(parse(reEmission)) { topics }: z.infer<typeof reEmission>) {
    return this.topics.reEmit(topics);
  }
}

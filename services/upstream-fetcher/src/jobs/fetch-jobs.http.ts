import { Readable } from 'node:stream';
import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { Principal } from '@weir/access';
import { parseId, type CommandContext, type TenantId } from '@weir/kernel';
import { By, Command, Describes, Needs, Tenant, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { jobNotFound } from '../errors';
import { FetchJobs } from './fetch-jobs.service';
import { csvOptions, jobBody, readCsv, type JobBody } from './job-form';

/** Ten thousand addresses of posts. */
const BODY_LIMIT = 4_194_304;

const resultsQuery = z.strictObject({
  /** `<item>.<page>` of the last line that the caller has. */
  after: z.string().regex(/^\d{1,6}\.\d{1,3}$/, 'such as 120.1').default('0.0'),
});

const JOB = { description: 'The job, with its progress, what it has cost so far, and until when its results stay' };
const QUOTED = { description: 'Credits, expected cache hits, and when it would be done' };
const CSV = 'JSON, or text/csv whose first line names the parameters (with endpoint and pages where they differ) and whose options stand in the query';

@Controller('v1/tenants/:t/fetch-jobs')
export class FetchJobsController {
  constructor(private readonly jobs: FetchJobs) {}

  @Post('quote')
  @HttpCode(200)
  @Needs('member', `What a bulk fetch would cost and when it would be done, without making it. ${CSV}`)
  @Describes({ body: jobBody, query: csvOptions, responses: { 200: QUOTED } })
  quote(@Tenant() tenant: TenantId, @By() by: Principal, @Req() request: FastifyRequest, @Body() body: unknown, @Query() query: unknown) {
    return this.jobs.quote(this.jobs.callerFor(tenant, by), read(request, body, query));
  }

  @Post()
  @Needs('member', `Fetch up to 10,000 things in bulk, at batch priority. ${CSV}`)
  @Describes({ body: jobBody, query: csvOptions, responses: { 201: JOB } })
  async create(
    @Tenant() tenant: TenantId,
    @By() by: Principal,
    @Req() request: FastifyRequest,
    @Body() body: unknown,
    @Query() query: unknown,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const job = await this.jobs.create(this.jobs.callerFor(tenant, by), read(request, body, query), context);
    void reply.header('location', `/v1/tenants/${tenant}/fetch-jobs/${job.id}`);
    return job;
  }

  @Get()
  @Needs('member', 'List bulk fetches, the newest first')
  @Describes({ query: page, responses: { 200: { description: 'A page of jobs' } } })
  async list(@Tenant() tenant: TenantId, @Query(parse(page)) { limit, cursor }: Page) {
    const jobs = await this.jobs.list(tenant, { limit, before: decodeCursor(cursor, z.string()) });
    return listed(jobs, limit, ({ id }) => id);
  }

  @Get(':j')
  @Needs('member', 'How far a bulk fetch is')
  @Describes({ responses: { 200: JOB } })
  get(@Tenant() tenant: TenantId, @Param('j') j: string) {
    return this.jobs.get(tenant, jobIdOf(j));
  }

  @Get(':j/results')
  @Needs('member', 'What has been fetched so far, a line of NDJSON each')
  @Describes({ query: resultsQuery, responses: { 200: { description: 'item, page, endpoint, params, ok, status, credits, cache, requestId, fetchedAt, error, body; a job that is not done has more later' } } })
  async results(@Tenant() tenant: TenantId, @Param('j') j: string, @Query(parse(resultsQuery)) { after }: z.infer<typeof resultsQuery>, @Res() reply: FastifyReply): Promise<void> {
    const [item = 0, page = 0] = after.split('.').map(Number);
    const lines = await this.jobs.results(tenant, jobIdOf(j), { item, page });
    await reply.header('content-type', 'application/x-ndjson').header('cache-control', 'private, no-store').send(Readable.from(lines));
  }

  @Post(':j/cancel')
  @HttpCode(200)
  @Needs('member', 'Stop a bulk fetch; what it has fetched stays as long as that of a finished one')
  @Describes({ responses: { 200: JOB } })
  cancel(@Tenant() tenant: TenantId, @Param('j') j: string, @Command() context: CommandContext) {
    return this.jobs.cancel(tenant, jobIdOf(j), context);
  }
}

function read(request: FastifyRequest, body: unknown, query: unknown): JobBody {
  if (typeof body === 'string' && /^text\/csv\b/i.test(request.headers['content-type'] ?? '')) return readCsv(body, parse(csvOptions).transform(query, { type: 'query' }) as z.infer<typeof csvOptions>);
  return parse(jobBody).transform(body, { type: 'body' }) as JobBody;
}

function jobIdOf(text: string): string {
  const id = parseId('job', text);
  if (id === undefined) throw jobNotFound();
  return id;
}

/** On Nest's Fastify, before the routes are there: bodies larger than others', and CSV. */
export function takeJobBodies(fastify: FastifyInstance): void {
  fastify.addHook('onRoute', (route) => {
    if (/\/fetch-jobs(\/quote)?$/.test(route.url)) route.bodyLimit = BODY_LIMIT;
  });
  fastify.addContentTypeParser('text/csv', { parseAs: 'string', bodyLimit: BODY_LIMIT }, (_, body, done) => done(null, body));
}

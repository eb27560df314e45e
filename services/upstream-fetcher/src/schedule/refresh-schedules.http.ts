import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { Principal } from '@weir/access';
import { parseId, type CommandContext, type TenantId } from '@weir/kernel';
import { By, Command, Describes, Needs, Tenant, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { scheduleNotFound } from '../errors';
import { FetchJobs } from '../jobs/fetch-jobs.service';
import { RefreshSchedules } from './refresh-schedules.service';
import { scheduleBody, type ScheduleBody } from './schedule-form';

const SCHEDULE = { description: 'The schedule: what, when next, and what came of the last time' };

@Controller('v1/tenants/:t/refresh-schedules')
export class RefreshSchedulesController {
  constructor(
    private readonly schedules: RefreshSchedules,
    private readonly jobs: FetchJobs,
  ) {}

  @Post()
  @Needs('admin', 'Fetch profiles, posts or followers by the clock, as a bulk fetch each time')
  @Describes({ body: scheduleBody, responses: { 201: SCHEDULE } })
  async create(
    @Tenant() tenant: TenantId,
    @By() by: Principal,
    @Body(parse(scheduleBody)) body: ScheduleBody,
    @Command() context: CommandContext,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const schedule = await this.schedules.create(this.jobs.callerFor(tenant, by), body, context);
    void reply.header('location', `/v1/tenants/${tenant}/refresh-schedules/${schedule.id}`);
    return schedule;
  }

  @Get()
  @Needs('admin', 'List refresh schedules')
  @Describes({ query: page, responses: { 200: { description: 'A page of schedules' } } })
  async list(@Tenant() tenant: TenantId, @Query(parse(page)) { limit, cursor }: Page) {
    const schedules = await this.schedules.list(tenant, { limit, after: decodeCursor(cursor, z.string()) });
    return listed(schedules, limit, ({ id }) => id);
  }

  @Get(':s')
  @Needs('admin', 'Read a refresh schedule')
  @Describes({ responses: { 200: SCHEDULE } })
  get(@Tenant() tenant: TenantId, @Param('s') s: string) {
    return this.schedules.get(tenant, scheduleIdOf(s));
  }

  @Delete(':s')
  @HttpCode(204)
  @Needs('admin', 'End a refresh schedule; bulk fetches that it has made go on')
  remove(@Tenant() tenant: TenantId, @Param('s') s: string, @Command() context: CommandContext): Promise<void> {
    return this.schedules.remove(tenant, scheduleIdOf(s), context);
  }
}

function scheduleIdOf(text: string): string {
  const id = parseId('sch', text);
  if (id === undefined) throw scheduleNotFound();
  return id;
}

import { Controller, Get, Headers, Inject, Param, Query, Res } from '@nestjs/common';
import { utcDay, utcMonth, type Clock, type TenantId } from '@weir/kernel';
import { Describes, Needs, Tenant, parse } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { CLOCK } from '../clock';
import { day, spanDays } from '../period';
import { toCsv } from './csv';
import { CLASSES, type MarginRow } from './margin';
import { DIMENSIONS, type Dimension, type ReportQuery } from './report';
import { UsageService, type UsageReport } from './usage.service';

const MOST_DAYS = 400;

const groupBy = <const T extends readonly [Dimension, ...Dimension[]]>(names: T, fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((list) => [...new Set(list.split(',').map((name) => name.trim()))])
    .pipe(z.array(z.enum(names)));

const report = <G extends z.ZodType>(groups: G, mode: 'live' | 'all') =>
  z.strictObject({
    from: day.optional(),
    to: day.optional(),
    groupBy: groups,
    mode: z.enum(['live', 'test', 'all']).default(mode),
  });

const ofTenant = report(
  groupBy(['day', 'hour', 'endpoint', 'project', 'token', 'status', 'key', 'keyOwner', 'keyMode', 'mode', 'cache', 'difference', 'adjusts'], 'day'),
  'live',
);
const ofAll = report(groupBy(['day', 'tenant', 'key', 'keyOwner', 'mode', 'cache', 'difference'], 'tenant,key'), 'all');

const inOrder = ({ from, to }: { from?: string | undefined; to?: string | undefined }) =>
  from === undefined || to === undefined || (from <= to && spanDays(from, to) <= MOST_DAYS);
const ORDER = { message: `must not be after to, nor more than ${MOST_DAYS} days before it`, path: ['from'] };
const tenantQuery = ofTenant.refine(inOrder, ORDER);
const allQuery = ofAll.refine(inOrder, ORDER);
type Asked = z.infer<typeof ofTenant> | z.infer<typeof ofAll>;

@Controller('v1')
export class UsageController {
  constructor(
    private readonly usage: UsageService,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('tenants/:t/usage')
  @Needs('member', 'Usage of a tenant by day, endpoint, project, token, key; of live calls unless mode says otherwise')
  @Describes({ query: ofTenant, responses: { 200: { description: 'Rows and totals; CSV with Accept: text/csv' } } })
  async ofTenant(
    @Tenant() tenant: TenantId,
    @Query(parse(tenantQuery)) asked: Asked,
    @Headers('accept') accept: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return negotiated(reply, accept, await this.usage.ofTenant(tenant, this.timed(asked)));
  }

  @Get('usage')
  @Needs('operator', 'Usage over all tenants and keys, and why what was taken upstream is not what was charged')
  @Describes({ query: ofAll, responses: { 200: { description: 'Rows, totals and differences; CSV with Accept: text/csv' } } })
  async ofAll(
    @Query(parse(allQuery)) asked: Asked,
    @Headers('accept') accept: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return negotiated(reply, accept, await this.usage.ofAll(this.timed(asked)));
  }

  @Get('tenants/:t/calls/:r')
  @Needs('member', 'Why a call cost what it did: its attempts, key, cache and credits')
  @Describes({ params: { r: 'The call’s Weir-Request-Id' }, responses: { 200: { description: 'The call' } } })
  call(@Tenant() tenant: TenantId, @Param('r') requestId: string) {
    return this.usage.call(tenant, requestId);
  }

  /** The current month unless days are named. */
  private timed({ from, to, ...rest }: Asked): ReportQuery {
    const now = this.clock();
    const last = to ?? utcDay(now);
    const first = from ?? (to === undefined ? `${utcMonth(now)}-01` : `${to.slice(0, 7)}-01`);
    return { ...rest, from: first, to: last };
  }
}

function negotiated<R extends UsageReport>(reply: FastifyReply, accept: string | undefined, result: R): R | string {
  if (!/(^|,)\s*text\/csv\b/.test(accept ?? '')) return result;
  void reply.header('content-type', 'text/csv; charset=utf-8');
  const columns = [...result.groupBy.map((name) => DIMENSIONS[name].member), 'calls', 'upstreamCredits', 'unsettledCredits', 'chargedCredits'];
  return 'differences' in result ? toCsv([...columns, 'marginCredits', ...CLASSES.map(titled)], result.data.map(flat)) : toCsv(columns, result.data);
}

const titled = (name: string): string => `${name}Difference`;
const flat = (row: UsageReport['data'][number]) => ({ ...row, ...Object.fromEntries(Object.entries((row as MarginRow).differences).map(([name, credits]) => [titled(name), credits])) });

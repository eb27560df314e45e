import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { money } from '@weir/contracts';
import { invalid, parseId, utcMonth, type Clock, type CommandContext, type TenantId } from '@weir/kernel';
import { Command, Describes, Needs, Tenant, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { CLOCK } from '../clock';
import { period } from '../period';
import { invoiceCsv } from './invoice-csv';
import { InvoiceDesk } from './invoice-desk';
import { InvoiceService } from './invoice.service';

const ofMonth = z.strictObject({ period: period.optional() });

const run = z.strictObject({
  period,
  draft: z.boolean().default(false),
  reissue: z.boolean().default(false),
  tenants: z.array(z.string()).min(1).max(1_000).optional(),
});

const creditNote = z.strictObject({ amount: money().strict().optional(), reason: z.string().trim().min(3).max(500) });

@Controller('v1')
export class InvoiceController {
  constructor(
    private readonly invoices: InvoiceService,
    private readonly desk: InvoiceDesk,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('tenants/:t/invoices/preview')
  @Needs('admin', 'What a month costs by what is known now; the current month unless one is named')
  @Describes({ query: ofMonth, responses: { 200: { description: 'Lines and total' } } })
  preview(@Tenant() tenant: TenantId, @Query(parse(ofMonth)) query: z.infer<typeof ofMonth>) {
    return this.invoices.preview(tenant, query.period ?? utcMonth(this.clock()));
  }

  @Get('tenants/:t/invoices')
  @Needs('admin', 'Invoices and credit notes, newest first')
  @Describes({ query: page, responses: { 200: { description: 'A page of invoices without their lines' } } })
  async list(@Tenant() tenant: TenantId, @Query(parse(page)) { limit, cursor }: Page) {
    const rows = await this.desk.list(tenant, { limit: limit + 1, before: decodeCursor(cursor, z.string()) });
    return listed(rows, limit, (row) => row.id);
  }

  @Get('tenants/:t/invoices/:i')
  @Needs('admin', 'One invoice or credit note with its lines; Accept: text/csv for a table of the lines')
  async get(@Tenant() tenant: TenantId, @Param('i') id: string, @Headers('accept') accept: string | undefined, @Res({ passthrough: true }) reply: FastifyReply) {
    const invoice = await this.desk.get(tenant, id);
    if (!(accept ?? '').includes('text/csv')) return invoice;
    void reply.header('content-type', 'text/csv; charset=utf-8').header('content-disposition', `attachment; filename="${invoice.number ?? invoice.id}.csv"`);
    return invoiceCsv(invoice);
  }

  @Post('tenants/:t/invoices/:i/credit-notes')
  @Needs('operator', 'Take back an invoice, or a part of it, by a credit note; it never changes itself')
  @Describes({ body: creditNote, responses: { 201: { description: 'The credit note' } } })
  credit(@Tenant() tenant: TenantId, @Param('i') id: string, @Body(parse(creditNote)) body: z.infer<typeof creditNote>, @Command() context: CommandContext) {
    return this.desk.credit(tenant, id, { amount: body.amount, reason: body.reason }, context);
  }

  @Get('tenants/:t/ledger')
  @Needs('admin', 'What was booked, double entry: entries in the order of time, and the balance of each account')
  ledger(@Tenant() tenant: TenantId) {
    return this.desk.ledger(tenant);
  }

  @Post('invoice-runs')
  @HttpCode(200)
  @Needs('operator', 'Make the invoices of a month that is over, or draft those of any; a run repeated makes what is missing')
  @Describes({ body: run, responses: { 200: { description: 'How many were made, and who failed with what' } } })
  run(@Body(parse(run)) body: z.infer<typeof run>, @Command() context: CommandContext) {
    const tenants = body.tenants?.map((id) => {
      const tenant = parseId('ten', id);
      if (tenant === undefined) throw invalid(`${id} is no tenant's id.`);
      return tenant;
    });
    return this.desk.run({ ...body, tenants }, context);
  }
}

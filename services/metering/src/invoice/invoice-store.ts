import type { InvoicingEvent, Money } from '@weir/contracts';
import type { EntitySql } from '@weir/entities';
import { rfc3339, type TenantId } from '@weir/kernel';
import { fromMinor, minorOf } from '../billing/money';
import { invoiceNotFound } from '../errors';
import { InvoiceLineRow, InvoiceRow, type InvoiceStatus } from './read-models';

export interface InvoiceSummary {
  readonly id: string;
  readonly kind: 'invoice' | 'credit-note';
  readonly period: string;
  readonly status: InvoiceStatus;
  /** null while it is a draft. */
  readonly number: string | null;
  readonly total: Money;
  readonly chargedCredits: number;
  readonly seats: number;
  /** Of a credit note: the invoice that it takes back, and why. */
  readonly corrects: string | null;
  readonly reason: string | null;
  readonly createdAt: string;
  readonly finalizedAt: string | null;
}

export interface InvoiceView extends InvoiceSummary {
  readonly lines: readonly LineView[];
}

interface LineView {
  readonly item: string;
  readonly description: string;
  readonly from: string;
  readonly to: string;
  readonly quantity: string;
  readonly unitPrice: Money;
  readonly per: number;
  readonly share: string | null;
  readonly amount: Money;
}

/** The read models of what was decided, in its transaction. */
export async function keepInvoice(sql: EntitySql, tenantId: TenantId, events: readonly InvoicingEvent[], at: number, reason?: string): Promise<void> {
  for (const event of events) {
    if (event.type === 'invoice.credited') await keepCreditNote(sql, tenantId, event.data, at, reason ?? null);
    else await keepLines(sql, tenantId, event, at);
  }
}

async function keepLines(sql: EntitySql, tenantId: TenantId, event: Exclude<InvoicingEvent, { type: 'invoice.credited' }>, at: number): Promise<void> {
  const { invoiceId: id, period, currency, lines, total, chargedCredits, seats } = event.data;
  const before = await sql.manager.findOne(InvoiceRow, { where: { tenantId, id } });
  const final = event.type === 'invoice.finalized';
  await sql.manager.save(InvoiceRow, {
    tenantId,
    id,
    kind: 'invoice' as const,
    period,
    status: final ? ('final' as const) : ('draft' as const),
    number: final ? event.data.number : null,
    currency,
    totalMinor: minorOf(total),
    chargedCredits,
    seats,
    corrects: null,
    reason: null,
    createdAt: before?.createdAt ?? at,
    finalizedAt: final ? at : null,
  });
  await sql.manager.delete(InvoiceLineRow, { tenantId, invoiceId: id });
  await sql.manager.insert(
    InvoiceLineRow,
    lines.map(({ item, description, from, to, quantity, unitPrice, per, share, amount }, index) => ({
      tenantId,
      invoiceId: id,
      line: index + 1,
      item,
      description,
      fromDay: from,
      toDay: to,
      quantity,
      unitPrice: unitPrice.amount,
      per,
      share,
      amountMinor: minorOf(amount),
    })),
  );
}

type Credited = Extract<InvoicingEvent, { type: 'invoice.credited' }>['data'];

async function keepCreditNote(sql: EntitySql, tenantId: TenantId, { creditNoteId: id, number, invoiceId, amount }: Credited, at: number, reason: string | null): Promise<void> {
  const invoice = await sql.manager.findOneOrFail(InvoiceRow, { where: { tenantId, id: invoiceId } });
  await sql.manager.update(InvoiceRow, { tenantId, id: invoiceId }, { status: 'corrected' });
  const { period, currency } = invoice;
  await sql.manager.insert(InvoiceRow, {
    tenantId,
    id,
    kind: 'credit-note',
    period,
    status: 'final',
    number,
    currency,
    totalMinor: -minorOf(amount),
    chargedCredits: 0,
    seats: 0,
    corrects: invoiceId,
    reason,
    createdAt: at,
    finalizedAt: at,
  });
}

/** Newest first. */
export async function listInvoices(sql: EntitySql, tenantId: TenantId, { limit, before }: { limit: number; before: string | undefined }): Promise<InvoiceSummary[]> {
  const query = sql.manager.createQueryBuilder(InvoiceRow, 'i').where('i.tenant_id = :tenantId', { tenantId }).orderBy('i.id', 'DESC').take(limit);
  if (before !== undefined) query.andWhere('i.id < :before', { before });
  return (await query.getMany()).map(summaryOf);
}

/** @throws AppError `not-found` */
export async function readInvoice(sql: EntitySql, tenantId: TenantId, id: string): Promise<InvoiceView> {
  const row = await sql.manager.findOne(InvoiceRow, { where: { tenantId, id } });
  if (row === null) throw invoiceNotFound();
  const lines = await sql.manager.find(InvoiceLineRow, { where: { tenantId, invoiceId: id }, order: { line: 'ASC' } });
  return { ...summaryOf(row), lines: lines.map((line) => lineOf(line, row.currency)) };
}

const summaryOf = (row: InvoiceRow): InvoiceSummary => ({
  id: row.id,
  kind: row.kind,
  period: row.period,
  status: row.status,
  number: row.number,
  total: fromMinor(row.totalMinor, row.currency),
  chargedCredits: row.chargedCredits,
  seats: row.seats,
  corrects: row.corrects,
  reason: row.reason,
  createdAt: rfc3339(row.createdAt),
  finalizedAt: row.finalizedAt === null ? null : rfc3339(row.finalizedAt),
});

const lineOf = (row: InvoiceLineRow, currency: string): LineView => ({
  item: row.item,
  description: row.description,
  from: row.fromDay,
  to: row.toDay,
  quantity: row.quantity,
  unitPrice: { amount: row.unitPrice, currency },
  per: row.per,
  share: row.share,
  amount: fromMinor(row.amountMinor, currency),
});

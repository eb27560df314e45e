import type { InvoicingEvent } from '@weir/contracts';
import type { EntitySql } from '@weir/entities';
import type { EventLog } from '@weir/event-store';
import { newId, sleep, type CommandContext, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { closePeriod } from '../books/books';
import { monthBusy } from '../errors';
import { book, entriesOfInvoice } from '../ledger/ledger';
import { monthsBetween } from '../period';
import type { InvoiceService } from './invoice.service';
import { keepInvoice } from './invoice-store';
import { draft, finalize, invoicing, type Invoicing, type Priced } from './invoicing';
import { chargedIn, firstOpenMonth, stopCounting } from './month';

export const INVOICES = 'invoices';

/** How often the closing of a month waits for the usage that is being counted just then; some 50 ms each. */
const TRIES = 100;

/** The month could not be closed as it was priced: usage came in between, or is being counted now. */
class MonthMoved extends Error {}

export type Made = 'drafted' | 'finalized' | 'unchanged';

/** Makes the invoices of tenants, one tenant and month at a time; asked twice at once it makes one. */
export class InvoiceMaker {
  constructor(
    private readonly events: EventLog<EntitySql>,
    private readonly work: UnitOfWork<EntitySql>,
    private readonly invoices: InvoiceService,
  ) {}

  async draft(tenant: TenantId, month: string, context: CommandContext): Promise<Made> {
    const priced = await this.invoices.price(tenant, month);
    const { events } = await this.events.decide<Invoicing, InvoicingEvent>({
      ...this.decision(tenant, context, `draft/${month}`),
      decide: draft(priced, newId('inv', context.at)),
      also: async (sql, { events: added }) => keepInvoice(sql, tenant, added, context.at),
    });
    return events.length > 0 ? 'drafted' : 'unchanged';
  }

  /** The month and each one before it that has no invoice yet: books close in the order of time. */
  async finalize(tenant: TenantId, month: string, context: CommandContext, reissue: boolean): Promise<Made> {
    const first = await this.work.inTenant(tenant, (sql) => firstOpenMonth(sql, tenant));
    const months = first === undefined || first >= month ? [month] : monthsBetween(first, month);
    let made: Made = 'unchanged';
    for (const each of months) if (await this.finalizeOne(tenant, each, context, reissue && each === month)) made = 'finalized';
    return made;
  }

  private async finalizeOne(tenant: TenantId, month: string, context: CommandContext, reissue: boolean): Promise<boolean> {
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      const priced = await this.invoices.price(tenant, month);
      // the tenant came later
      if (priced.lines.length === 0) return false;
      try {
        const { events } = await this.events.decide<Invoicing, InvoicingEvent>({
          ...this.decision(tenant, context, `final/${month}`),
          decide: finalize(priced, newId('inv', context.at), reissue),
          also: async (sql, { events: added }) => {
            if (added.length > 0) await this.close(sql, tenant, priced, added, context.at);
          },
        });
        return events.length > 0;
      } catch (error) {
        if (!(error instanceof MonthMoved)) throw error;
        await sleep(30 + Math.random() * 40);
      }
    }
    throw monthBusy();
  }

  /** Within the append's transaction: nothing is counted from here to its end, and what was is what the invoice says. */
  private async close(sql: EntitySql, tenant: TenantId, priced: Priced, added: readonly InvoicingEvent[], at: number): Promise<void> {
    if (!(await stopCounting(sql, tenant))) throw new MonthMoved();
    if ((await chargedIn(sql, tenant, priced.period)) !== BigInt(priced.chargedCredits)) throw new MonthMoved();
    await keepInvoice(sql, tenant, added, at);
    const [final] = added;
    if (final?.type === 'invoice.finalized')
      await book(sql, { tenant, documentId: final.data.invoiceId, currency: priced.currency, at, entries: entriesOfInvoice(priced.lines) });
    await closePeriod(sql, tenant, priced.period, at);
  }

  private decision(tenant: TenantId, context: CommandContext, what: string) {
    return { tenant, stream: INVOICES, aggregate: invoicing, context: { ...context, commandId: `${context.commandId}/${what}` } };
  }
}

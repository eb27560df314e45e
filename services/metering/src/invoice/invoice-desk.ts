import type { StateTable } from '@weir/access';
import type { InvoicingEvent, Money, TenantState } from '@weir/contracts';
import type { EntitySql } from '@weir/entities';
import type { EventLog } from '@weir/event-store';
import { newId, rfc3339, type CommandContext, type TenantId } from '@weir/kernel';
import { toAppError } from '@weir/service-host';
import type { UnitOfWork } from '@weir/tenancy';
import { monthNotOver } from '../errors';
import { book, entriesOfCreditNote, readLedger, type LedgerView } from '../ledger/ledger';
import { daysOf } from '../period';
import { INVOICES, type InvoiceMaker, type Made } from './invoice-run';
import { keepInvoice, listInvoices, readInvoice, type InvoiceSummary, type InvoiceView } from './invoice-store';
import { credit, invoicing, type Invoicing } from './invoicing';

/** Tenants that a run works on at once. */
const AT_ONCE = 4;

export interface InvoiceRun {
  readonly period: string;
  readonly drafted: number;
  readonly finalized: number;
  /** Had their invoice already, or nothing new since the last draft. */
  readonly unchanged: number;
  readonly failed: readonly { readonly tenantId: TenantId; readonly code: string; readonly detail: string }[];
}

export interface RunRequest {
  readonly period: string;
  readonly draft: boolean;
  readonly reissue: boolean;
  /** All tenants when unset. */
  readonly tenants: readonly TenantId[] | undefined;
}

/** What an operator does with invoices, and what a tenant sees of them. */
export class InvoiceDesk {
  constructor(
    private readonly events: EventLog<EntitySql>,
    private readonly work: UnitOfWork<EntitySql>,
    private readonly maker: InvoiceMaker,
    private readonly tenants: StateTable<TenantState>,
    private readonly graceMs: number,
  ) {}

  /** A tenant that fails stops no other; asked again, those that have their invoice are done already. */
  async run({ period, draft, reissue, tenants }: RunRequest, context: CommandContext): Promise<InvoiceRun> {
    const opensAt = Date.parse(`${daysOf(period).before}T00:00:00Z`) + this.graceMs;
    if (!draft && context.at < opensAt) throw monthNotOver(period, rfc3339(opensAt));
    const left = [...(tenants ?? [...this.tenants.values()].map(({ id }) => id as TenantId))];
    const made: Made[] = [];
    const failed: InvoiceRun['failed'][number][] = [];
    const worker = async () => {
      for (let tenant = left.shift(); tenant !== undefined; tenant = left.shift()) {
        try {
          made.push(draft ? await this.maker.draft(tenant, period, context) : await this.maker.finalize(tenant, period, context, reissue));
        } catch (error) {
          const { code, message } = toAppError(error);
          failed.push({ tenantId: tenant, code, detail: message });
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    const count = (what: Made) => made.filter((each) => each === what).length;
    return { period, drafted: count('drafted'), finalized: count('finalized'), unchanged: count('unchanged'), failed };
  }

  list(tenant: TenantId, page: { limit: number; before: string | undefined }): Promise<InvoiceSummary[]> {
    return this.work.inTenant(tenant, (sql) => listInvoices(sql, tenant, page));
  }

  get(tenant: TenantId, id: string): Promise<InvoiceView> {
    return this.work.inTenant(tenant, (sql) => readInvoice(sql, tenant, id));
  }

  ledger(tenant: TenantId): Promise<LedgerView> {
    return this.work.inTenant(tenant, (sql) => readLedger(sql, tenant));
  }

  /** @throws AppError `not-found`, `invoice-not-final`, `invalid-request` for more than is left */
  async credit(tenant: TenantId, invoiceId: string, { amount, reason }: { amount: Money | undefined; reason: string }, context: CommandContext): Promise<InvoiceView> {
    await this.get(tenant, invoiceId);
    const creditNoteId = newId('crn', context.at);
    const { events } = await this.events.decide<Invoicing, InvoicingEvent>({
      tenant,
      stream: INVOICES,
      aggregate: invoicing,
      context: { ...context, reason },
      decide: credit(invoiceId, amount, creditNoteId),
      also: async (sql, { events: added }) => {
        await keepInvoice(sql, tenant, added, context.at, reason);
        const [credited] = added;
        if (credited?.type === 'invoice.credited')
          await book(sql, { tenant, documentId: creditNoteId, currency: credited.data.amount.currency, at: context.at, entries: entriesOfCreditNote(credited.data.amount) });
      },
    });
    const [credited] = events;
    return this.get(tenant, credited?.type === 'invoice.credited' ? credited.data.creditNoteId : creditNoteId);
  }
}

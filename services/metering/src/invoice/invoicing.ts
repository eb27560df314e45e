import type { InvoiceLine, InvoicingEvent, Money } from '@weir/contracts';
import { canonicalJson, fact, unreachable, type Aggregate, type Decide } from '@weir/kernel';
import { fromMinor, minorOf } from '../billing/money';
import { creditTooLarge, invoiceNotFinal } from '../errors';

/** What a month costs, as an invoice says it. */
export interface Priced {
  readonly period: string;
  readonly currency: string;
  readonly lines: readonly InvoiceLine[];
  readonly total: Money;
  /** The lines of credits add up to it. */
  readonly chargedCredits: number;
  readonly seats: number;
}

interface Draft extends Priced {
  readonly invoiceId: string;
}

interface Final {
  readonly invoiceId: string;
  readonly number: string;
  readonly total: Money;
  readonly creditedMinor: bigint;
}

/** All invoices of one tenant: one stream, so that numbers have no gaps and a month has one invoice, whoever runs at once. */
export interface Invoicing {
  readonly invoices: number;
  readonly creditNotes: number;
  /** By month. */
  readonly drafts: ReadonlyMap<string, Draft>;
  readonly finals: ReadonlyMap<string, Final>;
}

const initial: Invoicing = { invoices: 0, creditNotes: 0, drafts: new Map(), finals: new Map() };

function evolve(state: Invoicing, event: InvoicingEvent): Invoicing {
  switch (event.type) {
    case 'invoice.drafted':
      return { ...state, drafts: new Map(state.drafts).set(event.data.period, event.data) };
    case 'invoice.finalized': {
      const { period, invoiceId, number, total } = event.data;
      const drafts = new Map(state.drafts);
      drafts.delete(period);
      return { ...state, drafts, invoices: state.invoices + 1, finals: new Map(state.finals).set(period, { invoiceId, number, total, creditedMinor: 0n }) };
    }
    case 'invoice.credited': {
      const { invoiceId, amount } = event.data;
      const credited = [...state.finals].map(([period, final]) => [period, final.invoiceId === invoiceId ? { ...final, creditedMinor: final.creditedMinor + minorOf(amount) } : final] as const);
      return { ...state, creditNotes: state.creditNotes + 1, finals: new Map(credited) };
    }
    default:
      return unreachable(event);
  }
}

export const invoicing: Aggregate<Invoicing, InvoicingEvent> = { initial, evolve };

type Decision = Decide<Invoicing, InvoicingEvent>;

/** A month that has its invoice is not drafted again; neither is one of which nothing has changed. */
export const draft =
  (priced: Priced, invoiceId: string): Decision =>
  ({ finals, drafts }) => {
    if (finals.has(priced.period)) return [];
    const before = drafts.get(priced.period);
    const drafted = { ...priced, lines: [...priced.lines], invoiceId: before?.invoiceId ?? invoiceId };
    return before !== undefined && canonicalJson(before) === canonicalJson(drafted) ? [] : [fact('invoice.drafted', drafted)];
  };

/**
 * Gives the month its invoice, with the next number. One that has it is done already, however often that is asked for.
 *
 * @param reissue another invoice for a month whose invoice was taken back whole
 */
export const finalize =
  (priced: Priced, invoiceId: string, reissue: boolean): Decision =>
  ({ finals, drafts, invoices }) => {
    const final = finals.get(priced.period);
    if (final !== undefined && !(reissue && final.creditedMinor === minorOf(final.total))) return [];
    return [
      fact('invoice.finalized', {
        ...priced,
        lines: [...priced.lines],
        invoiceId: drafts.get(priced.period)?.invoiceId ?? invoiceId,
        number: numbered('INV', invoices + 1),
      }),
    ];
  };

/**
 * @param amount what is taken back; all that is left of the invoice when unset
 * @throws AppError `invoice-not-final`, `credit-too-large`
 */
export const credit =
  (invoiceId: string, amount: Money | undefined, creditNoteId: string): Decision =>
  ({ finals, creditNotes }) => {
    const final = [...finals.values()].find((each) => each.invoiceId === invoiceId);
    if (final === undefined) throw invoiceNotFinal();
    const { currency } = final.total;
    const left = minorOf(final.total) - final.creditedMinor;
    const taken = amount === undefined ? left : minorOf(amount);
    if (taken <= 0n || taken > left || (amount !== undefined && amount.currency !== currency)) throw creditTooLarge(fromMinor(left, currency));
    return [fact('invoice.credited', { creditNoteId, number: numbered('CN', creditNotes + 1), invoiceId, amount: fromMinor(taken, currency) })];
  };

const numbered = (kind: 'INV' | 'CN', count: number): string => `${kind}-${String(count).padStart(6, '0')}`;

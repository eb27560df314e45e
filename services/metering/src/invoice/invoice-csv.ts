import { toCsv } from '../usage/csv';
import type { InvoiceView } from './invoice-store';

const COLUMNS = ['number', 'period', 'line', 'item', 'description', 'from', 'to', 'quantity', 'unitPrice', 'per', 'share', 'amount', 'currency'] as const;

/** A row for each line, and one for the total. */
export function invoiceCsv({ number, id, period, lines, total }: InvoiceView): string {
  const document = { number: number ?? id, period };
  const rows = lines.map(({ unitPrice, amount, ...line }, index) => ({ ...document, line: index + 1, ...line, unitPrice: unitPrice.amount, amount: amount.amount, currency: amount.currency }));
  const sum = { ...document, line: null, item: 'total', description: '', from: null, to: null, quantity: null, unitPrice: null, per: null, share: null, amount: total.amount, currency: total.currency };
  return toCsv(COLUMNS, [...rows, sum]);
}

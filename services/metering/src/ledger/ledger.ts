import type { InvoiceLine, Money } from '@weir/contracts';
import { AppError, type TenantId } from '@weir/kernel';
import type { EntitySql } from '@weir/entities';
import { fromMinor, minorOf } from '../billing/money';
import { LedgerEntryRow } from '../invoice/read-models';

/** Debits are positive, credits negative; what one document books adds up to nothing. */
export interface Entry {
  readonly account: string;
  readonly amountMinor: bigint;
}

const REVENUE: Record<InvoiceLine['item'], string> = {
  month: 'revenue/base',
  seats: 'revenue/seats',
  'credits-included': 'revenue/credits',
  credits: 'revenue/credits',
  'credits-adjustment': 'revenue/credits',
  profiles: 'revenue/profiles',
};

/** The tenant owes the total; it was earned by the lines. */
export function entriesOfInvoice(lines: readonly InvoiceLine[]): Entry[] {
  const earned = new Map<string, bigint>();
  for (const { item, amount } of lines) earned.set(REVENUE[item], (earned.get(REVENUE[item]) ?? 0n) - minorOf(amount));
  const revenue = [...earned].filter(([, minor]) => minor !== 0n).map(([account, amountMinor]) => ({ account, amountMinor }));
  return [{ account: 'receivable', amountMinor: -sum(revenue) }, ...revenue];
}

/** The tenant owes so much less. */
export const entriesOfCreditNote = (amount: Money): Entry[] => [
  { account: 'receivable', amountMinor: -minorOf(amount) },
  { account: 'revenue/credit-notes', amountMinor: minorOf(amount) },
];

interface Booking {
  readonly tenant: TenantId;
  readonly documentId: string;
  readonly currency: string;
  readonly at: number;
  readonly entries: readonly Entry[];
}

/** In the tenant's transaction, in one statement: the table takes nothing that does not add up to zero, and never changes a row. */
export async function book(sql: EntitySql, { tenant, documentId, currency, at, entries }: Booking): Promise<void> {
  if (sum(entries) !== 0n) throw new AppError('unbalanced-entries', 'internal', `the entries of ${documentId} do not add up to zero`);
  await sql.manager.insert(
    LedgerEntryRow,
    entries.map(({ account, amountMinor }, index) => ({ tenantId: tenant, documentId, entry: index + 1, account, currency, amountMinor, at })),
  );
}

export interface LedgerView {
  readonly entries: readonly { readonly documentId: string; readonly account: string; readonly amount: Money; readonly at: number }[];
  /** By account and currency, of the whole ledger. */
  readonly balances: readonly { readonly account: string; readonly balance: Money }[];
}

export async function readLedger(sql: EntitySql, tenantId: TenantId): Promise<LedgerView> {
  const rows = await sql.manager.find(LedgerEntryRow, { where: { tenantId }, order: { at: 'ASC', documentId: 'ASC', entry: 'ASC' } });
  const groups = Map.groupBy(rows, ({ account, currency }) => `${account} ${currency}`);
  return {
    entries: rows.map(({ documentId, account, amountMinor, currency, at }) => ({ documentId, account, amount: fromMinor(amountMinor, currency), at })),
    balances: [...groups.values()].map((group) => {
      const { account, currency } = group[0] as LedgerEntryRow;
      return { account, balance: fromMinor(sum(group), currency) };
    }),
  };
}

const sum = (entries: readonly Pick<Entry, 'amountMinor'>[]): bigint => entries.reduce((before, { amountMinor }) => before + amountMinor, 0n);

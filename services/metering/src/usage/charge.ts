import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

/** Where a charge is to be found again. */
export interface ChargeView {
  /** UTC day in whose sums it is. */
  readonly day: string;
  readonly period: string;
  /** The month in which the call was made, where that had been closed already. */
  readonly adjusts: string | null;
  /** The month's invoice, or its draft; null: there is none yet. */
  readonly invoice: { readonly id: string; readonly number: string | null; readonly status: string; readonly lines: readonly InvoiceLineRef[] } | null;
}

/** A line whose credits the charge is among. */
interface InvoiceLineRef {
  readonly line: number;
  readonly item: string;
  readonly description: string;
}

const INVOICE = `
  select i.id, i.number, i.status,
         (select coalesce(json_agg(json_build_object('line', l.line, 'item', l.item, 'description', l.description) order by l.line), '[]')
          from invoice_lines l
          where l.tenant_id = i.tenant_id and l.invoice_id = i.id
            and case when $4 then l.item = 'credits-adjustment' else l.item in ('credits', 'credits-included') and $3::date between l.from_day and l.to_day end) as lines
  from invoices i where i.tenant_id = $1 and i.kind = 'invoice' and i.period = $2 order by (i.status = 'final') desc, i.created_at desc limit 1`;

export async function readCharge(sql: Sql, tenant: TenantId, { day, adjusts, mode }: { readonly day: string; readonly adjusts: string | null; readonly mode: string }): Promise<ChargeView | null> {
  // what a test token calls is on no invoice
  if (mode !== 'live') return null;
  const period = day.slice(0, 7);
  const { rows } = await sql.query<NonNullable<ChargeView['invoice']>>(INVOICE, [tenant, period, day, adjusts !== null]);
  return { day, period, adjusts, invoice: rows[0] ?? null };
}

import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { adjustmentOf } from './month';

/** Where a charge stands on the tenant's bill. */
export interface ChargedOn {
  readonly id: string;
  /** null while it is a draft. */
  readonly number: string | null;
  readonly status: 'draft' | 'final' | 'corrected';
  /** Numbers of the lines that it is counted in: where a month has included credits or tiers, a credit is no one line's alone. */
  readonly lines: readonly number[];
}

const FIND = `
  select i.id, i.number, i.status, array_agg(l.line order by l.line) as lines
  from invoices i join invoice_lines l on l.tenant_id = i.tenant_id and l.invoice_id = i.id
  where i.tenant_id = $1 and i.kind = 'invoice' and i.period = $2 and l.from_day <= $3::date and l.to_day >= $3::date
    and case when $4::text is null then l.item in ('credits', 'credits-included') else l.item = 'credits-adjustment' and l.description = $4 end
  group by i.id, i.number, i.status order by (i.number is null), i.id desc limit 1`;

/** The newest final invoice that has the charge, else the draft; undefined while the month has neither. In the tenant's transaction. */
export async function invoiceOfCharge(sql: Sql, tenant: TenantId, charge: { period: string; day: string; adjusts: string | null }): Promise<ChargedOn | undefined> {
  const { rows } = await sql.query<ChargedOn & Record<string, unknown>>(FIND, [tenant, charge.period, charge.day, charge.adjusts === null ? null : adjustmentOf(charge.adjusts)]);
  return rows[0];
}

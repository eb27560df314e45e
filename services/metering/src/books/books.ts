import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { periodStillOpen } from '../errors';
import { daysOf } from '../period';
import { lockUsage } from '../usage/record-usage';

const CLOSE = `
  insert into books as b (tenant_id, open_from) values ($1, $2)
  on conflict (tenant_id) do update set open_from = greatest(b.open_from, excluded.open_from)`;

/**
 * Closes a tenant's month and all before it, in the tenant's transaction: what its sums say then they say for ever. Usage of it that comes
 * later is counted on the day on which it comes, as an adjustment that names the month. Waits for batches that are being counted.
 *
 * @param now ms
 * @throws AppError `period-open` for a month that has not ended
 */
export async function closePeriod(sql: Sql, tenant: TenantId, month: string, now: number): Promise<void> {
  const { before } = daysOf(month);
  if (Date.parse(before) > now) throw periodStillOpen(month);
  await lockUsage(sql, tenant);
  await sql.query(CLOSE, [tenant, before]);
}

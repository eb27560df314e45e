import { stateTopic, type QuotaState } from '@weir/contracts';
import { publishStates } from '@weir/event-store';
import { canonicalJson, utcDay, utcMonth, type TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { daysOf } from '../period';

const TOPIC = stateTopic('quota');

const COUNT = `
  select coalesce(sum(credits) filter (where day = $2::date), 0) as day_credits, coalesce(sum(credits), 0) as month_credits,
         (select body from published_states where tenant_id = $1 and topic = $5 and key = $1) as said
  from charged_daily where tenant_id = $1 and day >= $3::date and day < $4::date`;

/** Credits charged to live calls in the UTC day and month of `now`, and what was last said of them. In the tenant's transaction. */
async function count(sql: Sql, tenantId: TenantId, now: number): Promise<{ quota: QuotaState; said: string | null }> {
  const [day, month] = [utcDay(now), utcMonth(now)];
  const { from, before } = daysOf(month);
  const { rows } = await sql.query<{ day_credits: string; month_credits: string; said: string | null }>(COUNT, [
    tenantId,
    day,
    from,
    before,
    TOPIC,
  ]);
  const quota = { tenantId, day, dayCredits: Number(rows[0]?.day_credits), month, monthCredits: Number(rows[0]?.month_credits) };
  return { quota, said: rows[0]?.said ?? null };
}

export const countQuota = async (sql: Sql, tenant: TenantId, now: number): Promise<QuotaState> =>
  (await count(sql, tenant, now)).quota;

/** Says on the state topic what the quota is now, where that differs from what was said: a limiter refuses whom it has heard nothing of. */
export async function sayQuota(sql: Sql, tenant: TenantId, now: number): Promise<void> {
  const { quota, said } = await count(sql, tenant, now);
  if (canonicalJson(quota) === said) return;
  await publishStates(sql, [{ topic: TOPIC, key: tenant, body: quota }]);
}

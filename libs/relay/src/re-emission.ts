import { DEMAND_TOPIC, DRIFT_TOPIC, PRESENCE_TOPIC, SIGNAL_TOPIC, TOPICS, USAGE_TOPIC } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

/** Records of these topics stand in no log. */
const PRIMARY: readonly string[] = [USAGE_TOPIC, SIGNAL_TOPIC, DEMAND_TOPIC, DRIFT_TOPIC, PRESENCE_TOPIC];

/** Topics that the logs can fill again. */
export const reEmittable: readonly string[] = TOPICS.map(({ name }) => name).filter((name) => !PRIMARY.includes(name));

/**
 * Has every log of the database published again from its beginning, events under the ids that they have, each state as it is in force.
 * What happens meanwhile comes behind, in order. The relays do the work, after fresh news; asking again begins anew.
 *
 * @param topics only these; undefined: all
 * @returns how many tenants there are
 */
export async function reEmit(sql: Sql, topics?: readonly string[]): Promise<number> {
  const { rows } = await sql.query<{ tenant_id: TenantId }>(
    `select tenant_id from weir.placements where elsewhere is null and state <> 'arriving' order by tenant_id`,
  );
  // tenant by tenant: one whose append is stuck holds up the operator alone
  for (const { tenant_id } of rows) await reEmitTenant(sql, tenant_id, topics);
  return rows.length;
}

// Up to `again_*` everything has been published once already, so that other topics are left out to there and not beyond.
async function reEmitTenant(sql: Sql, tenant: TenantId, topics: readonly string[] | undefined): Promise<void> {
  await sql.query(
    `with again as (
       update weir.relay_checkpoints c
       set again_topics = case
             when $2::text[] is null then null
             when c.position >= c.again_position and c.state_seq >= c.again_state_seq then $2
             when c.again_topics is null then null
             else c.again_topics || $2 end,
           again_position = greatest(c.position, c.again_position), again_state_seq = greatest(c.state_seq, c.again_state_seq),
           position = 0, state_seq = 0, epoch = c.epoch + 1
       where tenant_id = $1
       returning tenant_id, again_position)
     insert into weir.news (tenant_id, mark, position) select tenant_id, 0, again_position from again on conflict (tenant_id) do nothing`,
    [tenant, topics ?? null],
  );
}

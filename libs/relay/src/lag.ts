import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

export interface TenantLag {
  readonly tenant: TenantId;
  /** Not published yet; a re-emission counts from its beginning. */
  readonly events: number;
  /** Since when the oldest of them waits at most. */
  readonly seconds: number;
}

export interface RelayLag {
  readonly tenants: number;
  readonly events: number;
  /** Of the tenant that is furthest behind; 0 with none. */
  readonly seconds: number;
  /** Tenants that are being re-emitted and have nothing new. */
  readonly reEmitting: number;
  /** Those furthest behind: a few, however many there are. */
  readonly worst: readonly TenantLag[];
}

const WORST = 10;

/** How far the relays of these databases are behind: one statement in each, over the tenants with news. */
export async function relayLag(databases: readonly Sql[]): Promise<RelayLag> {
  const lags = await Promise.all(databases.map(lagOf));
  const sum = (of: 'tenants' | 'events' | 'reEmitting') => lags.reduce((total, lag) => total + lag[of], 0);
  return {
    tenants: sum('tenants'),
    events: sum('events'),
    seconds: Math.max(0, ...lags.map(({ seconds }) => seconds)),
    reEmitting: sum('reEmitting'),
    worst: lags.flatMap(({ worst }) => worst).sort((a, b) => b.seconds - a.seconds).slice(0, WORST),
  };
}

async function lagOf(sql: Sql): Promise<RelayLag> {
  const { rows } = await sql.query<RelayLag>(
    `with waiting as (
       select n.tenant_id as tenant, greatest(coalesce(n.position, 0) - coalesce(c.position, 0), 0)::float8 as events,
              greatest(extract(epoch from clock_timestamp() - greatest(n.since, c.caught_up_at)), 0)::float8 as seconds, n.mark
       from weir.news n left join weir.relay_checkpoints c using (tenant_id))
     select count(*)::int as tenants, coalesce(sum(events), 0) as events, coalesce(max(seconds), 0) as seconds,
            count(*) filter (where mark = 0)::int as "reEmitting",
            coalesce((select json_agg(w) from (select tenant, events, seconds from waiting order by seconds desc limit $1) w), '[]') as worst
     from waiting`,
    [WORST],
  );
  return rows[0] as RelayLag;
}

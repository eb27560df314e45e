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
  /** Those furthest behind, as many as were asked for. */
  readonly worst: readonly TenantLag[];
}

/** A tenant that waits, by when it began to. */
export interface WaitingTenant extends TenantLag {
  /** µs since 1970. */
  readonly since: number;
  readonly reEmitting: boolean;
}

/** Of one tenant, whether it waits or not. */
export interface TenantProgress extends TenantLag {
  /** The position of its log up to which everything is published. */
  readonly published: number;
  /** ms since 1970: nothing committed before was unpublished then. null: it never had anything. */
  readonly caughtUpAt: number | null;
  readonly reEmitting: boolean;
}

// a tenant is behind since its news, or since it was last known to be drained where the news was there before
const WAITING = `
  select n.tenant_id as tenant, greatest(coalesce(n.position, 0) - coalesce(c.position, 0), 0)::float8 as events,
         greatest(extract(epoch from clock_timestamp() - greatest(n.since, c.caught_up_at)), 0)::float8 as seconds,
         (extract(epoch from greatest(n.since, c.caught_up_at)) * 1000000)::float8 as since, n.mark = 0 as "reEmitting"
  from weir.news n left join weir.relay_checkpoints c using (tenant_id)`;

/**
 * How far the relays of these databases are behind: one statement in each, over the tenants with news.
 *
 * @param most tenants to name; a database with thousands that wait names those that wait longest
 */
export async function relayLag(databases: readonly Sql[], { most = 10 }: { most?: number } = {}): Promise<RelayLag> {
  const lags = await Promise.all(databases.map((sql) => lagOf(sql, most)));
  const sum = (of: 'tenants' | 'events' | 'reEmitting') => lags.reduce((total, lag) => total + lag[of], 0);
  return {
    tenants: sum('tenants'),
    events: sum('events'),
    seconds: Math.max(0, ...lags.map(({ seconds }) => seconds)),
    reEmitting: sum('reEmitting'),
    worst: lags.flatMap(({ worst }) => worst).sort((a, b) => b.seconds - a.seconds).slice(0, most),
  };
}

async function lagOf(sql: Sql, most: number): Promise<RelayLag> {
  const { rows } = await sql.query<RelayLag>(
    `with waiting as (${WAITING})
     select count(*)::int as tenants, coalesce(sum(events), 0) as events, coalesce(max(seconds), 0) as seconds,
            count(*) filter (where "reEmitting")::int as "reEmitting",
            coalesce((select json_agg(w) from (select tenant, events, seconds from waiting order by seconds desc limit $1) w), '[]') as worst
     from waiting`,
    [most],
  );
  return rows[0] as RelayLag;
}

/** Every tenant that waits, who waits longest first, `limit` of them after one that was answered before. */
export async function waitingTenants(databases: readonly Sql[], { after, limit }: { after?: Pick<WaitingTenant, 'since' | 'tenant'> | undefined; limit: number }): Promise<WaitingTenant[]> {
  const pages = await Promise.all(
    databases.map((sql) =>
      sql.query<WaitingTenant>(`select * from (${WAITING}) w where $1::float8 is null or (since, tenant) > ($1, $2) order by since, tenant limit $3`, [after?.since ?? null, after?.tenant ?? null, limit]),
    ),
  );
  return pages
    .flatMap(({ rows }) => rows)
    .sort((a, b) => a.since - b.since || (a.tenant < b.tenant ? -1 : 1))
    .slice(0, limit);
}

/** How far the log of one tenant is published, wherever it lives. */
export async function tenantProgress(databases: readonly Sql[], tenant: TenantId): Promise<TenantProgress> {
  const found = await Promise.all(databases.map((sql) => progressIn(sql, tenant)));
  const nowhere: TenantProgress = { tenant, events: 0, seconds: 0, published: 0, caughtUpAt: null, reEmitting: false };
  // one that has moved took its checkpoint along
  return found.find((one) => one !== undefined) ?? nowhere;
}

async function progressIn(sql: Sql, tenant: TenantId): Promise<TenantProgress | undefined> {
  const { rows } = await sql.query<TenantProgress>(
    `select $1 as tenant, coalesce(w.events, 0) as events, coalesce(w.seconds, 0) as seconds, coalesce(c.position, 0)::float8 as published,
            floor(extract(epoch from c.caught_up_at) * 1000)::float8 as "caughtUpAt", coalesce(w."reEmitting", false) as "reEmitting"
     from (select from weir.relay_checkpoints where tenant_id = $1 union select from weir.news where tenant_id = $1) there
     left join weir.relay_checkpoints c on c.tenant_id = $1 left join (${WAITING} where n.tenant_id = $1) w on true`,
    [tenant],
  );
  return rows[0];
}

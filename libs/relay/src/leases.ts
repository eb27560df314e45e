import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { Lease } from './lease';

interface Row {
  tenant_id: TenantId;
  mark: string;
  epoch: string;
  position: string;
  state_seq: string;
  again_topics: string[] | null;
  again_position: string;
  again_state_seq: string;
  db_now: number;
}

/**
 * Takes tenants with news that nobody holds: fresh news before re-emissions, and whose turn was longest ago first. It reads the table
 * of news and the checkpoints of those in it alone: with no news it costs the same for ten tenants and ten thousand.
 */
export const LOOK = `
  with fresh as (
    select n.tenant_id, n.mark from weir.news n
    -- with its limit it is looked up by key for each row of news, whatever the planner believes of an empty table
    left join lateral (select * from weir.relay_checkpoints where tenant_id = n.tenant_id limit 1) c on true
    where c.tenant_id is null or c.lease_until < now()
    order by n.mark = 0, c.lease_until nulls first limit $3)
  insert into weir.relay_checkpoints as c (tenant_id, holder, lease_until, epoch)
  select tenant_id, $1, now() + $2 * interval '1 ms', 1 from fresh order by tenant_id
  on conflict (tenant_id) do update set epoch = c.epoch + 1, holder = excluded.holder, lease_until = excluded.lease_until
    -- another relay may have taken it since this statement began
    where c.lease_until < now()
  returning c.tenant_id, (select mark from fresh f where f.tenant_id = c.tenant_id) as mark, c.epoch, c.position, c.state_seq,
    c.again_topics, c.again_position, c.again_state_seq, extract(epoch from now())::float8 * 1000 as db_now`;

/** What is asked while there was nothing: planning the look costs several times as much. */
export const ANY_NEWS = 'select 1 from weir.news limit 1';

/**
 * Leases in `weir.relay_checkpoints`, each for one turn. They are rows with an end and no session's locks, so that they go through a
 * pooler and outlive a lost connection.
 */
export class Leases {
  private readonly held = new Set<Lease>();
  private quiet = false;

  constructor(
    private readonly sql: Sql,
    private readonly holder: string,
    private readonly leaseMs: number,
  ) {}

  async take(most: number): Promise<Lease[]> {
    if (this.quiet && (await this.sql.query(ANY_NEWS)).rows.length === 0) return [];
    const asked = performance.now();
    const { rows } = await this.sql.query<Row>(LOOK, [this.holder, this.leaseMs, most]);
    const leases = rows.map((row) => toLease(row, asked + this.leaseMs));
    for (const lease of leases) this.held.add(lease);
    this.quiet = leases.length === 0;
    return leases;
  }

  /** Those that are this old already; one that is not ours any more is told so. */
  async renew(): Promise<void> {
    const leases = [...this.held].filter((lease) => lease.held);
    if (leases.length === 0) return;
    const asked = performance.now();
    const { rows } = await this.sql.query<{ tenant_id: string; epoch: string }>(
      `with mine as (
         select c.tenant_id from weir.relay_checkpoints c join unnest($1::text[], $2::bigint[]) as l(tenant_id, epoch) using (tenant_id, epoch)
         order by c.tenant_id for update of c)
       update weir.relay_checkpoints c set lease_until = now() + $3 * interval '1 ms' from mine where c.tenant_id = mine.tenant_id
       returning c.tenant_id, c.epoch`,
      [leases.map(({ tenant }) => tenant), leases.map(({ epoch }) => epoch), this.leaseMs],
    );
    const renewed = new Set(rows.map(({ tenant_id, epoch }) => `${tenant_id}/${epoch}`));
    for (const lease of leases) {
      if (renewed.has(`${lease.tenant}/${lease.epoch}`)) lease.renewed(asked + this.leaseMs);
      else if (this.held.has(lease)) lease.lose();
    }
  }

  ended(lease: Lease): void {
    this.held.delete(lease);
  }

  /** Gives a tenant back; anyone may try again after `pauseMs`. */
  async release(lease: Lease, pauseMs: number): Promise<void> {
    await this.sql.query(
      `update weir.relay_checkpoints set lease_until = now() + $3 * interval '1 ms' where tenant_id = $1 and epoch = $2`,
      [lease.tenant, lease.epoch, pauseMs],
    );
  }

  /**
   * After a lease was lost with states on their way: what is in force is published once more, and so stands behind them. A reader that
   * knows the newer version ignores the older one; without this, compaction would leave the older one alone to a reader that starts later.
   */
  async sayAgain(lease: Lease): Promise<void> {
    await this.sql.query(
      `with rewound as (
         update weir.relay_checkpoints set state_seq = least(state_seq, $2), epoch = epoch + 1 where tenant_id = $1 returning tenant_id, position)
       insert into weir.news (tenant_id, mark, position) select tenant_id, nextval('weir.news_mark'), position from rewound
       on conflict (tenant_id) do update set mark = excluded.mark`,
      [lease.tenant, lease.cursor.stateSeq],
    );
  }
}

const toLease = (row: Row, validUntil: number): Lease =>
  new Lease(
    row.tenant_id,
    row.epoch,
    row.mark,
    { position: Number(row.position), stateSeq: Number(row.state_seq) },
    { topics: row.again_topics, position: Number(row.again_position), stateSeq: Number(row.again_state_seq) },
    row.db_now,
    performance.now(),
    validUntil,
  );

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

/** Tenants with news that nobody holds, for one turn each: see the migration. */
export const LOOK = 'select * from weir.lease_news($1, $2, $3)';

/** What is asked while there was nothing: a look costs several times as much. */
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

import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';

const TICK_MS = 2_500;
const DEAD_AFTER_MS = 10_000;

export interface Member {
  readonly group: string;
  readonly topics: readonly string[];
  readonly id: string;
  /** Called with every topic's members, sorted, when they may have changed. */
  readonly rebalance: (membersByTopic: ReadonlyMap<string, readonly string[]>) => Promise<void>;
}

/**
 * A process's life in all its groups: one row that says 'alive' every 2.5 s, and the removal of those that are not. A partition is
 * held for as long as its member's session lives.
 */
export class GroupSession {
  /** A random positive 62-bit number: a row's id and an advisory lock's key. */
  readonly id = (randomBytes(8).readBigUInt64BE() >> 2n).toString();
  private readonly members = new Set<Member>();
  private timer: NodeJS.Timeout | undefined;
  private rebalancing: Promise<void> = Promise.resolve();
  private joined = 0;

  constructor(
    private readonly pool: Pool,
    private readonly holdsLock: () => boolean,
    private readonly onError: (error: Error) => void,
  ) {}

  newMemberId(): string {
    return `${this.id}/${++this.joined}`;
  }

  async join(member: Member): Promise<void> {
    this.members.add(member);
    this.timer ??= setInterval(() => void this.tick(), TICK_MS);
    try {
      await this.enter((await this.beat()) ? [...this.members] : [member]);
      await this.rebalance([member]);
    } catch (error) {
      this.members.delete(member);
      throw error;
    }
  }

  async leave(member: Member): Promise<void> {
    this.members.delete(member);
    await this.pool.query(
      `with gone as (delete from weir_bus.group_members where grp = $1 and member = $2),
            free as (update weir_bus.group_offsets set member = null where grp = $1 and member = $2)
       select pg_notify('weir_bus_groups', $1)`,
      [member.group, member.id],
    );
  }

  /** `group` changed, or all may have when it is undefined. */
  changed(group?: string): void {
    const affected = [...this.members].filter((member) => group === undefined || member.group === group);
    if (affected.length > 0) void this.rebalance(affected).catch(this.onError);
  }

  async close(): Promise<void> {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    await this.pool.query('delete from weir_bus.sessions where id = $1', [this.id]);
  }

  private async tick(): Promise<void> {
    try {
      if (await this.beat()) await this.enter([...this.members]);
      await this.rebalance([...this.members]);
    } catch (error) {
      this.onError(new Error(`group membership cannot be renewed: ${(error as Error).message}`, { cause: error }));
    }
  }

  /** @returns whether the session is new: it was the first beat, or others took us for dead */
  private async beat(): Promise<boolean> {
    const { rows } = await this.pool.query<{ fresh: boolean }>(
      `with dead as (
         delete from weir_bus.sessions s where id <> $1::bigint
           and (seen_at < now() - $3 * interval '1 ms' or (locked and not weir_bus.session_holds_lock(id))) returning id
       ), told as (
         select pg_notify('weir_bus_groups', m.grp) from weir_bus.group_members m join dead on m.session = dead.id group by m.grp
       ), beat as (
         insert into weir_bus.sessions as s (id, locked) values ($1::bigint, $2)
         on conflict (id) do update set seen_at = now(), locked = excluded.locked returning xmax = 0 as fresh
       )
       select fresh, (select count(*) from told) from beat`,
      [this.id, this.holdsLock(), DEAD_AFTER_MS],
    );
    return rows[0]?.fresh ?? true;
  }

  private async enter(members: readonly Member[]): Promise<void> {
    const rows = members.flatMap(({ group, topics, id }) => topics.map((topic) => ({ group, topic, id })));
    await this.pool.query(
      `with entered as (
         insert into weir_bus.group_members (grp, topic, member, session)
         select grp, topic, member, $4::bigint from unnest($1::text[], $2::text[], $3::text[]) u(grp, topic, member)
         on conflict do nothing returning grp
       ), offsets as (
         insert into weir_bus.group_offsets (grp, topic, partition)
         select distinct u.grp, p.topic, p.partition from unnest($1::text[], $2::text[]) u(grp, topic) join weir_bus.partitions p using (topic)
         on conflict do nothing
       )
       select pg_notify('weir_bus_groups', grp) from (select distinct grp from entered) e`,
      [rows.map((row) => row.group), rows.map((row) => row.topic), rows.map((row) => row.id), this.id],
    );
  }

  // one after another: two that overlap would claim what the other has just given back
  private rebalance(members: readonly Member[]): Promise<void> {
    const run = this.rebalancing.then(() => this.rebalanceNow(members));
    this.rebalancing = run.catch(() => undefined);
    return run;
  }

  private async rebalanceNow(members: readonly Member[]): Promise<void> {
    const { rows } = await this.pool.query<{ grp: string; topic: string; members: string[] }>(
      `select grp, topic, array_agg(member order by member) as members from weir_bus.group_members
       where grp = any($1::text[]) group by grp, topic`,
      [[...new Set(members.map((member) => member.group))]],
    );
    await Promise.all(
      members
        .filter((member) => this.members.has(member))
        .map((member) =>
          member.rebalance(new Map(rows.filter((row) => row.grp === member.group).map((row) => [row.topic, row.members]))),
        ),
    );
  }
}

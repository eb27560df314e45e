import type { Pool } from 'pg';
import { Delivery } from '../delivery';
import { busUnavailable } from '../errors';
import { withinGrace } from '../grace';
import { partitionName } from '../partition-name';
import type { Consumption, ConsumerSpec, ParkingLot } from '../port';
import type { ReleaseWatch } from '../release-watch';
import type { Ends } from './ends';
import type { GroupSession, Member } from './group-session';
import { PartitionReader, type Claim } from './partition-reader';
import { shareOf } from '../shares';

const GRACE_MS = 10_000;

export interface ConsumptionDeps {
  readonly pool: Pool;
  readonly ends: Ends;
  readonly session: GroupSession;
  readonly releases: ReleaseWatch;
  readonly parking: ParkingLot | undefined;
  readonly onError: (error: Error) => void;
}

/** A member of a group: claims its share of the partitions, gives back what is another's, reads each in a loop of its own. */
export class PostgresConsumption implements Consumption {
  private readonly readers = new Map<string, PartitionReader>();
  private readonly stopping = new AbortController();
  private readonly delivery: Delivery;
  private readonly member: Member;
  private readonly unwatch: (() => void)[] = [];
  private isPaused = false;
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly spec: ConsumerSpec,
    private readonly partitions: ReadonlyMap<string, number>,
    private readonly deps: ConsumptionDeps,
  ) {
    this.delivery = new Delivery(spec, deps.parking, deps.onError);
    this.member = {
      group: spec.group,
      topics: spec.topics,
      id: deps.session.newMemberId(),
      rebalance: (members) => this.rebalance(members),
    };
  }

  async start(): Promise<void> {
    const { ends, releases, session } = this.deps;
    this.unwatch.push(
      ends.watch(this.spec.topics, (topic, partition) => this.reader(topic, partition)?.wake()),
      releases.watch(this.spec.group, (topic, partition) => this.reader(topic, partition)?.released()),
    );
    try {
      await ends.poll();
      await session.join(this.member);
    } catch (error) {
      for (const unwatch of this.unwatch) unwatch();
      throw busUnavailable(error);
    }
  }

  stop(graceMs = GRACE_MS): Promise<void> {
    this.stopped ??= this.leave(graceMs);
    return this.stopped;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    for (const reader of this.readers.values()) reader.wake();
  }

  async lag(): Promise<Array<{ topic: string; partition: number; lag: number }>> {
    const { rows } = await this.deps.pool.query<{ topic: string; partition: number; lag: string }>(
      `select p.topic, p.partition, p.next_offset - coalesce(o."offset", 0) as lag
       from weir_bus.partitions p left join weir_bus.group_offsets o on o.grp = $1 and o.topic = p.topic and o.partition = p.partition
       where p.topic = any($2::text[]) order by 1, 2`,
      [this.spec.group, this.spec.topics],
    );
    return rows.map((row) => ({ ...row, lag: Number(row.lag) }));
  }

  private async leave(graceMs: number): Promise<void> {
    for (const unwatch of this.unwatch) unwatch();
    this.stopping.abort();
    const finished = Promise.all([...this.readers.values()].map((reader) => reader.leave()));
    const inTime = finished.then(() => this.deps.session.leave(this.member)).catch(this.deps.onError);
    await withinGrace(inTime, graceMs);
  }

  private reader(topic: string, partition: number): PartitionReader | undefined {
    return this.readers.get(partitionName(topic, partition));
  }

  private async rebalance(membersByTopic: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const mine = new Set<string>();
    for (const [topic, count] of this.partitions) {
      for (const partition of shareOf(this.member.id, membersByTopic.get(topic) ?? [], topic, count))
        mine.add(partitionName(topic, partition));
    }
    for (const [name, reader] of this.readers) if (!mine.has(name)) void this.giveBack(name, reader).catch(this.deps.onError);
    const wanted = [...mine].filter((name) => !this.readers.has(name));
    if (wanted.length > 0 && !this.stopping.signal.aborted) await this.claim(wanted);
  }

  private async giveBack(name: string, reader: PartitionReader): Promise<void> {
    await reader.leave();
    if (this.readers.get(name) !== reader) return;
    this.readers.delete(name);
    await this.deps.pool.query(
      `with free as (update weir_bus.group_offsets set member = null where grp = $1 and topic = $2 and partition = $3 and epoch = $4 returning 1)
       select pg_notify('weir_bus_groups', $1) from free`,
      [this.spec.group, reader.claim.topic, reader.claim.partition, reader.claim.epoch],
    );
  }

  // A partition whose member still lives is left to it: it gives it back, and says so, when what it has in hand is done.
  private async claim(names: readonly string[]): Promise<void> {
    const { rows } = await this.deps.pool.query<{ topic: string; partition: number; offset: string; epoch: string }>(
      `update weir_bus.group_offsets o set member = $2, epoch = epoch + 1
       where grp = $1 and (topic || '/' || partition) = any($3::text[])
         and (member is null or member = $2
           or not exists (select 1 from weir_bus.group_members m where m.grp = o.grp and m.topic = o.topic and m.member = o.member))
       returning topic, partition, "offset", epoch`,
      [this.spec.group, this.member.id, names],
    );
    for (const row of rows) this.read({ ...row, offset: Number(row.offset) });
  }

  private read(claim: Claim): void {
    const { pool, ends, onError } = this.deps;
    const name = partitionName(claim.topic, claim.partition);
    const reader = new PartitionReader(claim, {
      pool,
      group: this.spec.group,
      maxBatch: this.spec.maxBatch ?? 500,
      delivery: this.delivery,
      end: () => ends.get(claim.topic, claim.partition),
      paused: () => this.isPaused,
      signal: this.stopping.signal,
      onError,
    });
    this.readers.set(name, reader);
    // one that lost its claim is forgotten, so that the partition can be claimed again when it is its turn
    void reader.done.then(() => {
      if (reader.lost && this.readers.get(name) === reader) this.readers.delete(name);
    });
  }
}

import { StateTable } from '@weir/access';
import type { Bus, OutgoingRecord } from '@weir/bus';
import { PRESENCE_TOPIC, presence, type Presence } from '@weir/contracts';
import { Replicas } from './replicas';

const BEAT_MS = 5_000;

/** Some processes on one bus, which may be away. */
class Fleet {
  now = 1_000_000;
  busIsThere = true;
  private readonly tables: StateTable<Presence>[] = [];

  process(instanceId: string, options: { atLeast?: number; skewMs?: number } = {}): { replicas: Replicas; beat(): Promise<void>; stop(): Promise<void> } {
    const heartbeats = new StateTable<Presence>(PRESENCE_TOPIC, (json) => presence.schema.parse(json));
    this.tables.push(heartbeats);
    const replicas = new Replicas({
      bus: { publish: (records: readonly OutgoingRecord[]) => this.publish(records) } as Bus,
      heartbeats,
      instanceId,
      service: 'upstream-fetcher',
      atLeast: options.atLeast ?? 1,
      clock: () => this.now + (options.skewMs ?? 0),
      onError: () => undefined,
    });
    return { replicas, beat: () => replicas.beat(), stop: () => replicas.stop() };
  }

  private async publish(records: readonly OutgoingRecord[]): Promise<void> {
    if (!this.busIsThere) throw new Error('the bus is away');
    for (const record of records) {
      for (const table of this.tables) table.apply({ ...record, partition: 0, offset: '0', timestamp: this.now }, this.now);
    }
  }

  /** So many beats of those that live. */
  async beats(count: number, ...alive: { beat(): Promise<void> }[]): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.now += BEAT_MS;
      for (const one of alive) await one.beat();
    }
  }
}

describe('the number of processes', () => {
  it('is one before anybody is heard of, or what the settings say', () => {
    const fleet = new Fleet();
    expect(fleet.process('a').replicas.count).toBe(1);
    expect(fleet.process('b', { atLeast: 3 }).replicas.count).toBe(3);
  });

  it('is that of those who are heard of, whatever their clocks say', async () => {
    const fleet = new Fleet();
    const [a, b, c] = [fleet.process('a'), fleet.process('b', { skewMs: 60_000 }), fleet.process('c', { skewMs: -60_000 })];
    await fleet.beats(5, a, b, c);
    expect([a, b, c].map(({ replicas }) => replicas.count)).toEqual([3, 3, 3]);
  });

  it('shrinks at once when one says that it ends, and after three silent beats when it was killed', async () => {
    const fleet = new Fleet();
    const [a, b, c] = [fleet.process('a'), fleet.process('b'), fleet.process('c')];
    await fleet.beats(2, a, b, c);
    await b.stop();
    expect(a.replicas.count).toBe(2);
    await fleet.beats(3, a);
    expect(a.replicas.count).toBe(2);
    await fleet.beats(1, a);
    expect(a.replicas.count).toBe(1);
  });

  it('stays while the bus is away: nobody is counted out for a silence that is everybody’s', async () => {
    const fleet = new Fleet();
    const [a, b] = [fleet.process('a'), fleet.process('b')];
    await fleet.beats(2, a, b);
    fleet.busIsThere = false;
    await fleet.beats(100, a, b);
    expect(a.replicas.count).toBe(2);
    fleet.busIsThere = true;
    await fleet.beats(1, b, a);
    expect(a.replicas.count).toBe(2);
  });
});

import { eventually } from '@weir/testing';
import type { BusRecord } from '../port';
import { text, type Rig } from './rig';

/** What a table fed by a state topic holds. */
class Table {
  readonly rows = new Map<string, string>();
  applied = 0;

  readonly apply = ({ key, value }: BusRecord): void => {
    this.applied++;
    if (value === null) this.rows.delete(key);
    else this.rows.set(key, value.toString());
  };
}

export function following(rig: () => Rig): void {
  const stateTopic = () => rig().topic({ cleanup: 'compact', retentionMs: -1 });

  it('reads state topics from the beginning and then follows them, tombstones too', async () => {
    const [one, two] = [await stateTopic(), await stateTopic()];
    await rig().bus.publish([text(one, 'a', '1'), text(one, 'b', '1'), text(two, 'c', '1'), text(one, 'a', '2')]);
    const table = new Table();
    const following = await rig().bus.follow({ topics: [one, two], apply: table.apply });
    await following.caughtUp();
    expect(Object.fromEntries(table.rows)).toEqual({ a: '2', b: '1', c: '1' });
    await rig().bus.publish([text(one, 'b', null), text(two, 'd', '1')]);
    await eventually(() => expect(Object.fromEntries(table.rows)).toEqual({ a: '2', c: '1', d: '1' }));
    await following.stop();
  });

  it('gives the same table to a reader that starts again, and to every reader all of it', async () => {
    const topic = await stateTopic();
    const [first, again, beside] = [new Table(), new Table(), new Table()];
    const reader = await rig().bus.follow({ topics: [topic], apply: first.apply });
    await rig().bus.publish([text(topic, 'a', '1'), text(topic, 'b', '1'), text(topic, 'b', null), text(topic, 'a', '2')]);
    await reader.caughtUp();
    await reader.stop();
    const readers = [
      await rig().bus.follow({ topics: [topic], apply: again.apply }),
      await rig()
        .open()
        .follow({ topics: [topic], apply: beside.apply }),
    ];
    await Promise.all(readers.map((each) => each.caughtUp()));
    for (const table of [first, again, beside]) expect(Object.fromEntries(table.rows)).toEqual({ a: '2' });
  });

  it('has caught up only when everything published before the question has been applied', async () => {
    const topic = await stateTopic();
    const table = new Table();
    const following = await rig().bus.follow({ topics: [topic], apply: table.apply });
    for (let round = 1; round <= 5; round++) {
      await rig().bus.publish(Array.from({ length: 40 }, (_, i) => text(topic, `key-${i}`, String(round))));
      await following.caughtUp();
      expect(new Set(table.rows.values())).toEqual(new Set([String(round)]));
      expect(table.rows.size).toBe(40);
    }
    expect(table.applied).toBe(200);
  });

  it('knows its age: none before the ends are confirmed, young after, also when nothing is published (E14)', async () => {
    const topic = await stateTopic();
    const following = await rig().bus.follow({ topics: [topic], apply: () => undefined });
    await following.caughtUp();
    expect(following.ageMs()).toBeLessThan(500);
    await eventually(() => expect(following.ageMs()).toBeGreaterThan(1_000));
    await eventually(() => expect(following.ageMs()).toBeLessThan(500));
  });

  it('follows no topic at all without ado', async () => {
    const following = await rig().bus.follow({ topics: [], apply: () => undefined });
    await following.caughtUp();
    expect(following.ageMs()).toBeLessThan(500);
  });

  it('goes on when a record cannot be applied, and says so', async () => {
    const topic = await stateTopic();
    const applied: string[] = [];
    const following = await rig().bus.follow({
      topics: [topic],
      apply: ({ value }) => {
        if (value?.toString() === 'bad') throw new Error('cannot be read');
        applied.push(String(value));
      },
    });
    await rig().bus.publish([text(topic, 'a', '1'), text(topic, 'a', 'bad'), text(topic, 'a', '3')]);
    await following.caughtUp();
    expect(applied).toEqual(['1', '3']);
    expect(rig().errors.map(({ message }) => message)).toContain('cannot be read');
  });
}

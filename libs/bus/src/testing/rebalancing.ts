import { sleep } from '@weir/kernel';
import { eventually } from '@weir/testing';
import type { BusRecord } from '../port';
import { firstSeen, Recorder, series, text, type Rig } from './rig';

export function rebalancing(rig: () => Rig): void {
  it('shares partitions with a member that joins, and takes them back when it leaves (E9)', async () => {
    const topic = await rig().topic({ partitions: 4 });
    const group = rig().group();
    const [one, two] = [new Recorder(), new Recorder()];
    await rig().bus.consume({ group, topics: [topic], handle: one.handle });
    const second = await rig()
      .open()
      .consume({ group, topics: [topic], handle: two.handle });

    let published = 0;
    const publish = async () => rig().bus.publish(series(topic, 40, 20, (published += 40) - 40));
    await eventually(async () => {
      await publish();
      await sleep(100);
      expect(partitionsOf(one.records.slice(-20)).size).toBe(2);
      expect(partitionsOf(two.records.slice(-20)).size).toBe(2);
    });
    await second.stop();
    const had = two.records.length;
    await publish();
    await eventually(() => expect(new Set([...one.values(), ...two.values()]).size).toBe(published));
    expect(two.records).toHaveLength(had);
  });

  it('skips nothing and keeps the order of each key while members come and go amid batches (E9)', async () => {
    const topic = await rig().topic({ partitions: 4 });
    const group = rig().group();
    const seen = new Recorder();
    const slowly = async (batch: readonly BusRecord[]) => {
      await sleep(5);
      await seen.handle(batch);
    };
    await rig().bus.consume({ group, topics: [topic], maxBatch: 10, handle: slowly });
    const publishing = (async () => {
      for (let i = 0; i < 20; i++) {
        await rig().bus.publish(series(topic, 50, 25, i * 50));
        await sleep(50);
      }
    })();
    const other = rig().open();
    for (let i = 0; i < 2; i++) {
      const member = await other.consume({ group, topics: [topic], maxBatch: 10, handle: slowly });
      await sleep(300);
      await member.stop();
    }
    await publishing;
    await eventually(() => expect(new Set(seen.values()).size).toBe(1_000));
    for (let key = 0; key < 25; key++) {
      expect(firstSeen(seen.values(`key-${key}`))).toEqual(Array.from({ length: 40 }, (_, i) => String(i * 25 + key)));
    }
  });

  it('gives a member only the topics that it reads, in a group whose members differ', async () => {
    const [left, right] = [await rig().topic(), await rig().topic()];
    const group = rig().group();
    const [one, two] = [new Recorder(), new Recorder()];
    await rig().bus.consume({ group, topics: [left], handle: one.handle });
    await rig()
      .open()
      .consume({ group, topics: [right], handle: two.handle });
    await rig().bus.publish([...series(left, 12, 12), ...series(right, 12, 12)]);
    await eventually(() => expect([one.records.length, two.records.length]).toEqual([12, 12]));
    expect(new Set(one.records.map((record) => record.topic))).toEqual(new Set([left]));
    expect(new Set(two.records.map((record) => record.topic))).toEqual(new Set([right]));
  });

  it('lets a batch in hand end before another member gets its partition', async () => {
    const topic = await rig().topic({ partitions: 2 });
    const group = rig().group();
    const events: string[] = [];
    const handler = (who: string) => async (batch: readonly BusRecord[]) => {
      for (const { partition, value } of batch) events.push(`${who} begins ${partition}/${value?.toString()}`);
      await sleep(700);
      for (const { partition, value } of batch) events.push(`${who} ends ${partition}/${value?.toString()}`);
    };
    await rig().bus.publish([
      text(topic, 'key-0', 'a'),
      text(topic, 'key-1', 'a'),
      text(topic, 'key-2', 'a'),
      text(topic, 'key-3', 'a'),
    ]);
    await rig().bus.consume({ group, topics: [topic], handle: handler('one') });
    await eventually(() => expect(events.length).toBeGreaterThan(0));
    await rig()
      .open()
      .consume({ group, topics: [topic], handle: handler('two') });
    await eventually(() => expect(events.filter((event) => event.includes('ends')).length).toBe(4));
    expect(events.filter((event) => event.startsWith('two'))).toEqual([]);
  });
}

const partitionsOf = (records: readonly BusRecord[]) => new Set(records.map(({ partition }) => partition));

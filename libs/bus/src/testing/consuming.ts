import { AppError, sleep } from '@weir/kernel';
import { eventually } from '@weir/testing';
import type { BusRecord } from '../port';
import { firstSeen, Recorder, series, text, type Rig } from './rig';

const notNow = () => new AppError('database-unavailable', 'unavailable', 'not now');

export function consuming(rig: () => Rig): void {
  it('reads what was published before the group was there, each record once when nothing fails', async () => {
    const topic = await rig().topic();
    await rig().bus.publish(series(topic, 50, 10));
    const seen = new Recorder();
    await rig().bus.consume({ group: rig().group(), topics: [topic], handle: seen.handle });
    await eventually(() => expect(seen.records).toHaveLength(50));
    await rig().bus.publish(series(topic, 10, 10, 50));
    await eventually(() => expect(new Set(seen.values())).toEqual(new Set(series(topic, 60, 1).map((_, i) => String(i)))));
    expect(seen.records).toHaveLength(60);
  });

  it('hands over batches of one partition, in order, no larger than asked for', async () => {
    const topic = await rig().topic();
    await rig().bus.publish(series(topic, 200, 20));
    const seen = new Recorder();
    await rig().bus.consume({ group: rig().group(), topics: [topic], maxBatch: 30, handle: seen.handle });
    await eventually(() => expect(seen.records).toHaveLength(200));
    expect(Math.max(...seen.batches.map((batch) => batch.length))).toBe(30);
    for (const batch of seen.batches) {
      expect(new Set(batch.map(({ partition }) => partition)).size).toBe(1);
      const offsets = batch.map(({ offset }) => Number(offset));
      expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    }
  });

  it('hands over one by one where a handler asks for that', async () => {
    const topic = await rig().topic();
    await rig().bus.publish(series(topic, 20, 3));
    const seen = new Recorder();
    await rig().bus.consume({ group: rig().group(), topics: [topic], maxBatch: 1, handle: seen.handle });
    await eventually(() => expect(seen.batches).toHaveLength(20));
  });

  it('wakes an idle consumer promptly', async () => {
    const topic = await rig().topic();
    const seen = new Recorder();
    await rig().bus.consume({ group: rig().group(), topics: [topic], handle: seen.handle });
    await rig().bus.publish([text(topic, 'k', 'first')]);
    await eventually(() => expect(seen.records).toHaveLength(1));
    await sleep(300);
    const began = performance.now();
    await rig().bus.publish([text(topic, 'k', 'second')]);
    await eventually(() => expect(seen.records).toHaveLength(2));
    expect(performance.now() - began).toBeLessThan(400);
  });

  it('tries the same records again, in order, while a handler says not now', async () => {
    const topic = await rig().topic({ partitions: 1 });
    await rig().bus.publish(series(topic, 30, 3));
    const seen = new Recorder();
    let refusals = 3;
    const handle = async (batch: readonly BusRecord[]) => {
      if (batch.some(({ value }) => value?.toString() === '12') && refusals-- > 0) throw notNow();
      await seen.handle(batch);
    };
    await rig().bus.consume({ group: rig().group(), topics: [topic], maxBatch: 5, handle });
    await eventually(() => expect(seen.records).toHaveLength(30));
    expect(seen.values()).toEqual(series(topic, 30, 3).map((_, i) => String(i)));
  });

  it('gives records to the next member whose handler had not finished when its process ended', async () => {
    const topic = await rig().topic();
    const group = rig().group();
    await rig().bus.publish(series(topic, 30, 3));
    const failing = rig().open();
    const consumption = await failing.consume({ group, topics: [topic], handle: () => Promise.reject(notNow()) });
    await eventually(() => expect(rig().errors.some(({ message }) => message.includes('trying again'))).toBe(true));
    await consumption.stop();

    const seen = new Recorder();
    await rig().bus.consume({ group, topics: [topic], handle: seen.handle });
    await eventually(() => expect(seen.records).toHaveLength(30));
  });

  it('gives every group everything', async () => {
    const topic = await rig().topic();
    const [one, two] = [new Recorder(), new Recorder()];
    await rig().bus.consume({ group: rig().group(), topics: [topic], handle: one.handle });
    await rig().bus.consume({ group: rig().group(), topics: [topic], handle: two.handle });
    await rig().bus.publish(series(topic, 40, 5));
    await eventually(() => expect([one.records.length, two.records.length]).toEqual([40, 40]));
  });

  it('never has two batches of a partition in hand at once, and takes no more while a handler is busy', async () => {
    const topic = await rig().topic();
    await rig().bus.publish(series(topic, 100, 9));
    const busy = new Map<number, number>();
    let most = 0;
    let started = 0;
    let open = false;
    const handle = async (batch: readonly BusRecord[]) => {
      const partition = batch[0]?.partition ?? -1;
      started++;
      busy.set(partition, (busy.get(partition) ?? 0) + 1);
      most = Math.max(most, ...busy.values());
      while (!open) await sleep(5);
      busy.set(partition, (busy.get(partition) ?? 0) - 1);
    };
    const consumption = await rig().bus.consume({ group: rig().group(), topics: [topic], maxBatch: 10, handle });
    await eventually(() => expect(started).toBe(3));
    await rig().bus.publish(series(topic, 100, 9));
    await sleep(200);
    expect(started).toBe(3);
    open = true;
    await eventually(async () => expect(total(await consumption.lag())).toBe(0));
    expect(most).toBe(1);
  });

  it('hands over nothing while it is paused, and goes on where it was', async () => {
    const topic = await rig().topic();
    const seen = new Recorder();
    const consumption = await rig().bus.consume({ group: rig().group(), topics: [topic], handle: seen.handle });
    await rig().bus.publish(series(topic, 10, 3));
    await eventually(() => expect(seen.records).toHaveLength(10));
    consumption.pause();
    await sleep(50);
    await rig().bus.publish(series(topic, 10, 3, 10));
    await sleep(300);
    expect(seen.records).toHaveLength(10);
    consumption.resume();
    await eventually(() => expect(seen.records).toHaveLength(20));
    expect(firstSeen(seen.values('key-0'))).toEqual(['0', '3', '6', '9', '12', '15', '18']);
  });

  it('says how many records wait, per partition', async () => {
    const topic = await rig().topic();
    await rig().bus.publish(series(topic, 30, 10));
    let open = false;
    const handle = async () => {
      while (!open) await sleep(5);
    };
    const consumption = await rig().bus.consume({ group: rig().group(), topics: [topic], handle });
    const waiting = await consumption.lag();
    expect(waiting.map((entry) => [entry.topic, entry.partition])).toEqual([
      [topic, 0],
      [topic, 1],
      [topic, 2],
    ]);
    expect(total(waiting)).toBe(30);
    open = true;
    await eventually(async () => expect(total(await consumption.lag())).toBe(0));
  });

  it('finishes and commits what is in hand when it stops, and nothing of it comes again (E13)', async () => {
    const topic = await rig().topic({ partitions: 1 });
    const group = rig().group();
    await rig().bus.publish(series(topic, 20, 1));
    const [before, after] = [new Recorder(), new Recorder()];
    const started = Promise.withResolvers<void>();
    const consumption = await rig().bus.consume({
      group,
      topics: [topic],
      maxBatch: 5,
      handle: async (batch) => {
        started.resolve();
        await sleep(100);
        await before.handle(batch);
      },
    });
    await started.promise;
    await consumption.stop();
    expect(before.records).toHaveLength(5);
    await sleep(150);
    expect(before.records).toHaveLength(5);

    await rig()
      .open()
      .consume({ group, topics: [topic], handle: after.handle });
    await eventually(() => expect(after.records).toHaveLength(15));
    expect(after.values()[0]).toBe('5');
  });

  it('stops within its grace when a handler does not end (E13)', async () => {
    const topic = await rig().topic({ partitions: 1 });
    await rig().bus.publish([text(topic, 'k', 'v')]);
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const consumption = await rig().bus.consume({
      group: rig().group(),
      topics: [topic],
      handle: () => {
        started.resolve();
        return release.promise;
      },
    });
    await started.promise;
    const began = performance.now();
    await consumption.stop(300);
    expect(performance.now() - began).toBeLessThan(1_500);
    release.resolve();
  });
}

export const total = (lags: ReadonlyArray<{ lag: number }>): number => lags.reduce((sum, { lag }) => sum + lag, 0);

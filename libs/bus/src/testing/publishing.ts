import { eventually } from '@weir/testing';
import { fromRecord } from '../cloudevents';
import { Recorder, series, text, type Rig } from './rig';

export function publishing(rig: () => Rig): void {
  it('keeps the order of a key within a call and over calls that do not wait for each other', async () => {
    const topic = await rig().topic();
    const records = series(topic, 300, 5);
    const calls = Array.from({ length: 60 }, (_, i) => rig().bus.publish(records.slice(i * 5, i * 5 + 5)));
    await Promise.all(calls);

    const seen = new Recorder();
    await rig().bus.consume({ group: rig().group(), topics: [topic], handle: seen.handle });
    await eventually(() => expect(seen.records).toHaveLength(300));
    for (let key = 0; key < 5; key++) {
      expect(seen.values(`key-${key}`)).toEqual(Array.from({ length: 60 }, (_, i) => String(i * 5 + key)));
    }
  });

  it('puts a key into the same partition each time, and keys into all partitions', async () => {
    const topic = await rig().topic();
    await rig().bus.publish([...series(topic, 60, 30), ...series(topic, 60, 30)]);
    const seen = new Recorder();
    await rig().bus.consume({ group: rig().group(), topics: [topic], handle: seen.handle });
    await eventually(() => expect(seen.records).toHaveLength(120));
    const partitions = Map.groupBy(seen.records, ({ key }) => key);
    for (const records of partitions.values()) expect(new Set(records.map(({ partition }) => partition)).size).toBe(1);
    expect(new Set(seen.records.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]));
  });

  it('carries bytes and headers unharmed: 2^53+1, what is no text, an empty value, a tombstone (E10)', async () => {
    const topic = await rig().topic({ partitions: 1 });
    const values = [Buffer.from('{"n":9007199254740993}'), Buffer.from([0, 255, 254, 128, 10]), Buffer.alloc(0), null];
    const headers = { 'weir-version': '9007199254740993', umlaut: 'Straße, 東京', json: '{"a":1}', empty: '' };
    await rig().bus.publish(values.map((value) => ({ topic, key: 'a/é "key"', value, headers })));

    const seen = new Recorder();
    const before = Date.now() - 60_000;
    await rig().bus.consume({ group: rig().group(), topics: [topic], handle: seen.handle });
    await eventually(() => expect(seen.records).toHaveLength(4));
    expect(seen.records.map(({ value }) => value)).toEqual(values);
    for (const record of seen.records) {
      expect(record).toMatchObject({ topic, partition: 0, key: 'a/é "key"', headers });
      expect(record.timestamp).toBeGreaterThan(before);
    }
    expect(seen.records.map(({ offset }) => offset)).toEqual(['0', '1', '2', '3']);
  });

  it('hands over a record that is no event of ours like any other (E10)', async () => {
    const topic = await rig().topic();
    await rig().bus.publish([text(topic, 'k', '<xml/>', { ce_type: 'somebody.else' })]);
    const seen = new Recorder();
    const consumption = await rig().bus.consume({ group: rig().group(), topics: [topic], handle: seen.handle });
    await eventually(() => expect(seen.records).toHaveLength(1));
    expect(seen.records.map(fromRecord)).toEqual([undefined]);
    await eventually(async () => expect((await consumption.lag()).every(({ lag }) => lag === 0)).toBe(true));
  });

  it('refuses an unknown topic at once and by name, and lets the calls beside it through', async () => {
    const topic = await rig().topic();
    const began = Date.now();
    const [before, unknown, after] = await Promise.allSettled([
      rig().bus.publish([text(topic, 'k', 'before')]),
      rig().bus.publish([text(topic, 'k', 'with it'), text('weir.nowhere', 'k', 'x')]),
      rig().bus.publish([text(topic, 'k', 'after')]),
    ]);
    expect([before.status, after.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(unknown).toMatchObject({ reason: { code: 'unknown-topic', details: { topic: 'weir.nowhere' } } });
    await expect(
      rig().bus.consume({ group: rig().group(), topics: ['weir.nowhere'], handle: async () => undefined }),
    ).rejects.toMatchObject({
      code: 'unknown-topic',
    });
    expect(Date.now() - began).toBeLessThan(3_000);

    const seen = new Recorder();
    await rig().bus.consume({ group: rig().group(), topics: [topic], handle: seen.handle });
    await eventually(() => expect(seen.values()).toEqual(['before', 'after']));
  });

  it('creates missing topics once and says where the others differ from their declaration', async () => {
    const spec = {
      name: await rig().topic(),
      partitions: 3,
      cleanup: 'delete',
      retentionMs: 3_600_000,
      minInsyncReplicas: 1,
    } as const;
    const another = { ...spec, name: `${spec.name}-2`, cleanup: 'compact', retentionMs: -1 } as const;
    expect(await rig().bus.ensureTopics([spec, another])).toEqual({ created: [another.name], different: [] });
    expect(await rig().bus.ensureTopics([spec, another])).toEqual({ created: [], different: [] });
    const changed = [
      { ...spec, retentionMs: 7_200_000 },
      { ...another, partitions: 4 },
    ];
    const different = [
      { topic: spec.name, setting: 'retentionMs', declared: 7_200_000, actual: 3_600_000 },
      { topic: another.name, setting: 'partitions', declared: 4, actual: 3 },
    ];
    expect(await rig().bus.ensureTopics(changed)).toEqual({ created: [], different });
    // asking alone makes nothing
    const missing = { ...spec, name: `${spec.name}-3` };
    for (let asked = 0; asked < 2; asked++) {
      expect(await rig().bus.checkTopics([...changed, missing])).toEqual([
        ...different,
        { topic: missing.name, setting: 'partitions', declared: 3, actual: 0 },
      ]);
    }
  });

  it('answers a ping', async () => {
    await expect(rig().bus.ping()).resolves.toBeUndefined();
  });
}

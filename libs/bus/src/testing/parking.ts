import { eventually } from '@weir/testing';
import type { BusRecord } from '../port';
import { Recorder, text, type Rig } from './rig';

/** Refuses records whose value begins with `bad`, for as long as it is not healed. */
class Choosy extends Recorder {
  healed = false;
  tries = 0;

  readonly choose = async (batch: readonly BusRecord[]): Promise<void> => {
    if (!this.healed && batch.some(({ value }) => value?.toString().startsWith('bad'))) {
      this.tries++;
      throw new Error('bad message');
    }
    await this.handle(batch);
  };
}

export function parking(rig: () => Rig): void {
  it('parks a poison message with all that follows under its key, lets other keys flow, and replays in order on release (E8)', async () => {
    const topic = await rig().topic({ partitions: 1 });
    const group = rig().group();
    const handler = new Choosy();
    const consumption = await rig().bus.consume({ group, topics: [topic], maxBatch: 10, handle: handler.choose });
    await rig().bus.publish([
      text(topic, 'K', '1'),
      text(topic, 'K', 'bad 2'),
      text(topic, 'other', '1'),
      text(topic, 'K', '3'),
      text(topic, 'other', '2'),
    ]);
    await eventually(() => expect(handler.values('other')).toEqual(['1', '2']));
    await rig().bus.publish([text(topic, 'K', '4'), text(topic, 'other', '3')]);
    await eventually(() => expect(handler.values('other')).toEqual(['1', '2', '3']));
    await eventually(async () => expect((await consumption.lag())[0]?.lag).toBe(0));
    expect(handler.values('K')).toEqual(['1']);
    expect((await rig().servers.parked(group)).map(({ key, value, state }) => [key, value, state])).toEqual([
      ['K', 'bad 2', 'parked'],
      ['K', '3', 'parked'],
      ['K', '4', 'parked'],
    ]);

    handler.healed = true;
    await rig().servers.release(group);
    await rig().bus.publish([text(topic, 'K', '5')]);
    await eventually(() => expect(handler.values('K')).toEqual(['1', 'bad 2', '3', '4', '5']));
    await rig().bus.publish([text(topic, 'K', '6')]);
    await eventually(() => expect(handler.values('K').at(-1)).toBe('6'));
    await eventually(async () => expect((await rig().servers.parked(group)).every(({ state }) => state === 'done')).toBe(true));
  });

  it('parks after the stated number of tries, and hands over the rest of the batch', async () => {
    const topic = await rig().topic({ partitions: 1 });
    const group = rig().group();
    const handler = new Choosy();
    await rig().bus.publish([text(topic, 'a', '1'), text(topic, 'b', 'bad'), text(topic, 'c', '1')]);
    await rig().bus.consume({ group, topics: [topic], maxTries: 2, handle: handler.choose });
    await eventually(() => expect(handler.values()).toEqual(['1', '1']));
    // once within the batch, twice alone
    expect(handler.tries).toBe(3);
    expect(await rig().servers.parked(group)).toMatchObject([{ key: 'b', value: 'bad', state: 'parked' }]);
  });

  it('E8 parks a poison message of 5 MB whole after its tries, the partition moves on, and release replays it', async () => {
    const topic = await rig().topic({ partitions: 1 });
    const group = rig().group();
    const handler = new Choosy();
    const large = `bad ${'5 MB of it '.repeat(500_000)}`;
    expect(large.length).toBeGreaterThan(5 * 1_048_576);
    await rig().bus.publish([text(topic, 'K', '1'), text(topic, 'other', '1')]);
    await rig().servers.putLarge(text(topic, 'K', large));
    await rig().bus.publish([text(topic, 'K', '3'), text(topic, 'other', '2')]);
    const consumption = await rig().bus.consume({ group, topics: [topic], maxBatch: 10, maxTries: 2, handle: handler.choose });
    await eventually(() => expect(handler.values('other')).toEqual(['1', '2']));
    await eventually(async () => expect((await consumption.lag())[0]?.lag).toBe(0));
    expect(handler.values('K')).toEqual(['1']);
    const parked = await rig().servers.parked(group);
    expect(parked.map(({ value, state }) => [value === large ? 'all of it' : value, state])).toEqual([['all of it', 'parked'], ['3', 'parked']]);

    handler.healed = true;
    await rig().servers.release(group);
    await eventually(() => expect(handler.values('K')).toHaveLength(3));
    expect(handler.values('K').map((value) => (value === large ? 'all of it' : value))).toEqual(['1', 'all of it', '3']);
  });

  it('parks the whole key again when a released message fails again, and another group is not concerned', async () => {
    const topic = await rig().topic({ partitions: 1 });
    const [group, other] = [rig().group(), rig().group()];
    const handler = new Choosy();
    const fine = new Recorder();
    await rig().bus.consume({ group, topics: [topic], maxTries: 1, handle: handler.choose });
    await rig().bus.consume({ group: other, topics: [topic], handle: fine.handle });
    await rig().bus.publish([text(topic, 'K', 'bad 1'), text(topic, 'K', '2')]);
    await eventually(async () => expect(await rig().servers.parked(group)).toHaveLength(2));
    await eventually(() => expect(fine.values()).toEqual(['bad 1', '2']));

    const tries = handler.tries;
    await rig().servers.release(group);
    await eventually(() => expect(handler.tries).toBe(tries + 1));
    await eventually(async () =>
      expect((await rig().servers.parked(group)).map(({ state }) => state)).toEqual(['parked', 'parked']),
    );
    expect(handler.values()).toEqual([]);
  });
}

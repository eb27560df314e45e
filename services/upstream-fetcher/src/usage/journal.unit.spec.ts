import type { Bus, OutgoingRecord } from '@weir/bus';
import { createJournal } from './journal';

const record = (key: string): OutgoingRecord => ({ topic: 'weir.usage', key, value: Buffer.from(key), headers: {} });

/** A bus whose publishes end when the spec says so. */
function steeredBus() {
  const publishes: { keys: string[]; store: () => void; fail: () => void }[] = [];
  const bus = {
    publish: (records: readonly OutgoingRecord[]) =>
      new Promise<void>((resolve, reject) => {
        publishes.push({ keys: records.map(({ key }) => key), store: () => resolve(), fail: () => reject(new Error('away')) });
      }),
  } as unknown as Bus;
  return { bus, publishes };
}

const settle = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the way to the bus', () => {
  const open = (holdTimeoutMs = 10_000) => {
    const steered = steeredBus();
    return { ...steered, journal: createJournal({ bus: steered.bus, holdTimeoutMs, backlog: 3, onError: () => undefined }) };
  };

  it('publishes a lone hold at once, what one turn brings together, and no more than four at a time', async () => {
    const { journal, publishes } = open();
    const hold = (key: string) => journal.hold(record(key), () => record(`not ${key}`));
    const holds = [hold('a')];
    await turn();
    holds.push(hold('b'), hold('c'));
    await turn();
    for (const key of ['d', 'e', 'f', 'g']) {
      holds.push(hold(key));
      await turn();
    }
    expect(publishes.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c'], ['d'], ['e']]);
    publishes[1]?.store();
    await settle();
    expect(publishes[4]?.keys).toEqual(['f', 'g']);
    for (const { store } of publishes) store();
    await Promise.all(holds);
  });

  it('refuses the call whose hold the bus did not take, and writes that nothing was sent', async () => {
    const { journal, publishes } = open();
    const held = journal.hold(record('a'), () => record('not a'));
    await turn();
    publishes[0]?.fail();
    await expect(held).rejects.toMatchObject({ code: 'not-accountable', status: 503 });
    expect(publishes[1]?.keys).toEqual(['not a']);
  });

  it('refuses after the bound, and releases a hold that the bus takes after all', async () => {
    const { journal, publishes } = open(50);
    await expect(journal.hold(record('a'), () => record('not a'))).rejects.toMatchObject({ code: 'not-accountable' });
    expect(publishes).toHaveLength(1);
    publishes[0]?.store();
    await settle();
    expect(publishes[1]?.keys).toEqual(['not a']);
  });

  it('leaves out a hold that was refused before it was handed to the bus: it needs no release', async () => {
    const { journal, publishes } = open(50);
    const late: Promise<unknown>[] = [];
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      late.push(expect(journal.hold(record(key), () => record(`not ${key}`))).rejects.toMatchObject({ code: 'not-accountable' }));
      await turn();
    }
    await Promise.all(late);
    for (const { store } of publishes.splice(0)) store();
    await settle();
    await turn();
    const released = publishes.flatMap(({ keys }) => keys);
    expect(released).toContain('not a');
    expect(released).not.toContain('e');
    expect(released).not.toContain('not e');
  });

  it('lets nothing new in while the bus is away or too much waits, and everything when it is back', async () => {
    const { journal, publishes } = open();
    journal.write(record('a'));
    expect(() => journal.assertAccountable()).not.toThrow();
    publishes[0]?.fail();
    await settle();
    expect(() => journal.assertAccountable()).toThrow(expect.objectContaining({ code: 'not-accountable' }));
    while (publishes.length < 2) await new Promise((resolve) => setImmediate(resolve));
    publishes[1]?.store();
    await settle();
    expect(() => journal.assertAccountable()).not.toThrow();

    for (const key of ['b', 'c', 'd']) journal.write(record(key));
    expect(() => journal.assertAccountable()).toThrow(expect.objectContaining({ code: 'not-accountable' }));
  });

  it('keeps the order of what is written, over failures too, and drains', async () => {
    const { journal, publishes } = open();
    journal.write(record('a'));
    journal.write(record('b'));
    publishes[0]?.fail();
    while (publishes.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(publishes[1]?.keys).toEqual(['a', 'b']);
    const drained = journal.drain(10_000);
    publishes[1]?.store();
    expect(await drained).toBe(0);
  });
});

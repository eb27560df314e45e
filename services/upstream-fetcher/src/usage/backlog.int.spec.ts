import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OutgoingRecord } from '@weir/bus';
import { eventually } from '@weir/testing';
import { openBacklog, type Backlog } from './backlog';
import { backlogged } from './backlogged-bus';

const record = (key: string): OutgoingRecord => ({ topic: 'weir.usage', key, value: Buffer.from(`value of ${key}`), headers: { a: 'b' } });

describe('M3 the backlog on a durable volume', () => {
  let directory: string;
  let backlog: Backlog;
  const open = (maxBytes = 1e6) => (backlog = openBacklog({ directory, maxBytes }));

  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'weir-backlog-'))));
  afterEach(async () => {
    await backlog?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** A bus that is there or not, or does not answer. */
  function fickleBus() {
    const state = { is: 'up' as 'up' | 'away' | 'hanging', keys: [] as string[] };
    const publish = async (records: readonly OutgoingRecord[]) => {
      if (state.is === 'hanging') await new Promise(() => undefined);
      if (state.is === 'away') throw new Error('away');
      state.keys.push(...records.map(({ key }) => key));
    };
    return { state, publish };
  }
  const behind = (bus: ReturnType<typeof fickleBus>, maxBytes?: number) => backlogged({ bus, backlog: open(maxBytes), patienceMs: 100, onError: () => undefined });

  it('takes what the bus does not, whether it fails or hangs, and delivers it in order when the bus is back', async () => {
    const bus = fickleBus();
    const backed = behind(bus);
    await backed.publish([record('a')]);
    bus.state.is = 'hanging';
    await backed.publish([record('b')]);
    bus.state.is = 'away';
    await Promise.all(['c', 'd', 'e'].map((key) => backed.publish([record(key)])));
    expect([bus.state.keys, backed.away]).toEqual([['a'], true]);
    bus.state.is = 'up';
    await backed.publish([record('f')]);
    // one delivery may have begun while the bus hung
    await backed.close();
    const again = backlogged({ bus, backlog: open(), patienceMs: 100, onError: () => undefined });
    await eventually(() => Promise.resolve(expect(bus.state.keys).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])));
    await eventually(() => Promise.resolve(expect([again.away, again.bytes]).toEqual([false, 0])));
    await again.publish([record('g')]);
    expect(bus.state.keys.at(-1)).toBe('g');
    expect(readdirSync(directory).filter((name) => name.endsWith('.ndjson'))).toEqual([]);
    await again.close();
  });

  it('refuses what goes beyond its bound: nothing is served unmetered', async () => {
    const bus = fickleBus();
    bus.state.is = 'away';
    const backed = behind(bus, 400);
    await backed.publish([record('a')]);
    await expect(backed.publish(Array.from({ length: 10 }, (_, i) => record(`b${i}`)))).rejects.toThrow('full');
    bus.state.is = 'up';
    await eventually(() => Promise.resolve(expect(bus.state.keys).toEqual(['a'])));
    await backed.close();
  });

  it('is delivered after a restart, whole but for a line that a crash tore', async () => {
    const first = open();
    await first.append([record('a'), record('b')]);
    await first.close();
    const [segment = ''] = readdirSync(directory).filter((name) => name.endsWith('.ndjson'));
    appendFileSync(join(directory, segment), '{"topic":"weir.usage","key":"to');
    const bus = fickleBus();
    const backed = behind(bus);
    await backed.publish([record('c')]);
    await eventually(() => Promise.resolve(expect(bus.state.keys).toEqual(['a', 'b', 'c'])));
    await backed.close();
  });

  it('keeps bytes, keys and headers as they were', async () => {
    await open().append([{ ...record('a'), value: Buffer.from([0, 255, 10]) }, { ...record('b'), value: null }]);
    const oldest = await backlog.oldest();
    expect(oldest?.records).toEqual([{ ...record('a'), value: Buffer.from([0, 255, 10]) }, { ...record('b'), value: null }]);
    await oldest?.done();
    expect(await backlog.oldest()).toBeUndefined();
  });
});

import { StateTable } from '@weir/access';
import { keyCeilingState, type KeyCeilingState } from '@weir/contracts';
import { keyRest } from '../upstream/key-rest';
import { restAsHeard } from './rest-as-heard';

const NOW = 1_000_000;

describe('a pause of which another process heard', () => {
  let version = 0;
  let now = NOW;
  const table = new StateTable<KeyCeilingState>(keyCeilingState.topic, (json) => keyCeilingState.schema.parse(json));
  const rest = keyRest(() => now);
  restAsHeard(table, rest, () => now);

  /** @param loweredAt by the clock of whoever heard the 429 */
  function hear(keyId: `key_${string}`, loweredAt: number | null, pausedUntil: number | null, perMinute = 140): number {
    const ceiling = { keyId, owner: 'ten_platform', perMinute, burst: 35, concurrency: 0, configured: { perMinute: 200, burst: 50 }, loweredAt, pausedUntil };
    const value = Buffer.from(JSON.stringify(ceiling));
    table.apply({ topic: table.topic, partition: 0, offset: '0', key: keyId, value, headers: { 'weir-version': String(++version) }, timestamp: now }, now);
    return rest.pausedMs(keyId);
  }

  it('holds here for what is left of it', () => {
    expect(hear('key_a', NOW - 500, NOW + 2_500)).toBe(2_500);
    now += 2_500;
    expect(rest.pausedMs('key_a')).toBe(0);
    now = NOW;
  });

  it('is never longer than it was, whatever the other clock says, and not begun again by a later word on the ceiling', () => {
    expect(hear('key_b', NOW + 60_000, NOW + 63_000)).toBe(3_000);
    now += 3_000;
    expect(hear('key_b', NOW + 60_000, NOW + 63_000, 150)).toBe(0);
    now = NOW;
  });

  it('is none where it is over, or nobody was refused', () => {
    expect(hear('key_c', NOW - 9_000, NOW - 6_000)).toBe(0);
    expect(hear('key_d', null, null)).toBe(0);
  });
});

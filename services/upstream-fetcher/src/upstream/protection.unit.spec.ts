import { createBreaker } from './breaker';
import { keyRest } from './key-rest';
import { retryBudget, retryPauseMs } from './retry-budget';

describe('what keeps a sick upstream from being asked too often', () => {
  it('allows a tenth of the calls to be tried again, whatever was saved up before (F5)', () => {
    const budget = retryBudget();
    let retries = 0;
    for (let call = 0; call < 1_000; call++) {
      budget.earn();
      for (let retry = 0; retry < 2; retry++) if (budget.spend()) retries++;
    }
    expect(retries).toBeGreaterThanOrEqual(100);
    expect(retries).toBeLessThanOrEqual(103);
  });

  it('pauses anywhere from nothing to twice the last pause: full jitter (F5)', () => {
    expect(retryPauseMs(1, () => 0)).toBe(0);
    expect(retryPauseMs(1, () => 1)).toBe(200);
    expect(retryPauseMs(2, () => 1)).toBe(400);
  });

  it('opens after failures in a row, of one key and endpoint alone, and then lets one probe through (F7)', () => {
    let now = 0;
    const breaker = createBreaker(() => now);
    for (let i = 0; i < 9; i++) breaker.failed('key_a', 'userid');
    expect(breaker.waitMs('key_a', 'userid')).toBe(0);
    breaker.failed('key_a', 'userid');
    expect(breaker.waitMs('key_a', 'userid')).toBe(5_000);
    expect(breaker.waitMs('key_a', 'user-posts')).toBe(0);
    expect(breaker.waitMs('key_b', 'userid')).toBe(0);
    now = 5_000;
    expect([breaker.waitMs('key_a', 'userid'), breaker.waitMs('key_a', 'userid')]).toEqual([0, 5_000]);
    breaker.succeeded('key_a', 'userid');
    expect(breaker.waitMs('key_a', 'userid')).toBe(0);
  });

  it('is not opened by failures with a success between them (F7)', () => {
    const breaker = createBreaker(() => 0);
    for (let i = 0; i < 30; i++) {
      breaker.failed('key_a', 'userid');
      if (i % 9 === 8) breaker.succeeded('key_a', 'userid');
    }
    expect(breaker.waitMs('key_a', 'userid')).toBe(0);
  });

  it('rests a key as long as the upstream said, and no answer to an earlier call ends it', () => {
    let now = 0;
    const rest = keyRest(() => now);
    rest.pause('key_a', 3_000);
    expect([rest.pausedMs('key_a'), rest.clear('key_a'), rest.pausedMs('key_a')]).toEqual([3_000, false, 3_000]);
    now = 3_000;
    expect([rest.pausedMs('key_a'), rest.clear('key_a'), rest.clear('key_a')]).toEqual([0, true, false]);
    rest.doubt('key_a');
    expect([rest.doubtful('key_a'), rest.clear('key_a'), rest.doubtful('key_a')]).toEqual([true, true, false]);
  });
});

import { readRetryAfter } from './retry-after';

const NOW = Date.UTC(2026, 10, 24, 12);

describe("the upstream's Retry-After (F4)", () => {
  it.each<[string | undefined, number, boolean]>([
    ['2', 2_000, true],
    [' 30 ', 30_000, true],
    ['0', 1_000, true],
    ['1000000000', 60_000, true],
    ['999999999999999', 60_000, true],
    ['Tue, 24 Nov 2026 12:00:20 GMT', 20_000, true],
    ['Tue, 24 Nov 2026 11:00:00 GMT', 1_000, true],
    ['Fri, 31 Dec 2099 23:59:59 GMT', 60_000, true],
    [undefined, 1_000, false],
    ['', 1_000, false],
    ['-5', 1_000, false],
    ['1.5', 1_000, false],
    ['1e9', 1_000, false],
    ['soon', 1_000, false],
    ['Sometime', 1_000, false],
    ['2026-11-24T12:00:20Z', 1_000, false],
  ])('reads %j as %d ms, stated: %j', (header, ms, stated) => {
    expect(readRetryAfter(header, NOW)).toEqual({ ms, stated });
  });
});

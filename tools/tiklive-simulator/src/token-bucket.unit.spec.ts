import { TokenBucket } from './token-bucket';

describe("a key's rate", () => {
  it('lets a burst through, then says how long until the next call', () => {
    const bucket = new TokenBucket(200, 50, () => 0);
    expect(Array.from({ length: 50 }, () => bucket.take()).every((wait) => wait === 0)).toBe(true);
    expect(bucket.take()).toBeCloseTo(300);
  });

  it('admits as many as burst and rate allow over ten minutes, and no more', () => {
    let now = 0;
    const bucket = new TokenBucket(200, 50, () => now);
    let admitted = 0;
    for (; now < 600_000; now += 20) if (bucket.take() === 0) admitted += 1;
    expect(admitted).toBe(50 + 1_999);
  });

  it('admits a call after the wait that it named', () => {
    let now = 0;
    const bucket = new TokenBucket(60, 1, () => now);
    bucket.take();
    now += bucket.take();
    expect(bucket.take()).toBe(0);
  });
});

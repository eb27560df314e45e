import { rateLimitHeaders, retryAfterSeconds } from './headers';
import type { Standing } from './port';
import { NOON } from './samples';

const bucket: Standing = {
  name: 'tenant-bucket',
  unit: 'calls',
  limit: 600,
  used: 1,
  remaining: 599,
  resetMs: 100,
  policyWindow: 60,
};
const month: Standing = {
  name: 'monthly-quota',
  unit: 'credits',
  limit: 100,
  used: 80.25,
  remaining: 19.75,
  resetMs: 43_200_001,
  policyWindow: null,
};
const slots: Standing = { name: 'concurrency', unit: 'slots', limit: 10, used: 2, remaining: 8, resetMs: 0, policyWindow: null };

describe('rate limit headers', () => {
  it('name each policy with its quota, unit and window, and how it stands', () => {
    expect(rateLimitHeaders([bucket, month, slots], NOON)).toMatchObject({
      'RateLimit-Policy':
        '"tenant-bucket";q=600;w=60, "monthly-quota";q=100;qu="credits", "concurrency";q=10;qu="concurrent-requests"',
      RateLimit: '"tenant-bucket";r=599;t=1, "monthly-quota";r=19;t=43201, "concurrency";r=8',
    });
  });

  it('show in X-RateLimit-* the limit that is nearest to its end, with its reset in epoch seconds, rounded up', () => {
    expect(rateLimitHeaders([bucket, month, slots], NOON)).toMatchObject({
      'X-RateLimit-Limit': '100',
      'X-RateLimit-Remaining': '19',
      'X-RateLimit-Used': '81',
      'X-RateLimit-Reset': String(NOON / 1000 + 43_201),
      'X-RateLimit-Resource': 'monthly-quota',
    });
  });

  it('promise nothing of a quota that is overdrawn', () => {
    const headers = rateLimitHeaders([{ ...month, used: 120, remaining: 0 }], NOON);
    expect([headers.RateLimit, headers['X-RateLimit-Used']]).toEqual(['"monthly-quota";r=0;t=43201', '120']);
  });

  it('are absent without limits', () => expect(rateLimitHeaders([], NOON)).toEqual({}));

  it.each([
    [1, 1],
    [1000, 1],
    [1001, 2],
    [0, 1],
  ])('round a wait of %i ms up to %i s', (ms, seconds) => expect(retryAfterSeconds(ms)).toBe(seconds));
});

import { Seeded } from './bodies/seeded';
import { sampleLatencyMs } from './latency';

describe('latency', () => {
  it('has the median that was set, and the p99 of its sigma', () => {
    const random = new Seeded('latency');
    const samples = Array.from({ length: 20_000 }, () => sampleLatencyMs({ latencyP50Ms: 750, latencySigma: 0.35 }, () => random.next())).sort((a, b) => a - b);
    expect(samples[10_000]).toBeGreaterThan(735);
    expect(samples[10_000]).toBeLessThan(765);
    expect(samples[19_800]! / 750).toBeCloseTo(2.26, 0);
  });

  it('of 0 is none', () => {
    expect(sampleLatencyMs({ latencyP50Ms: 0, latencySigma: 1 })).toBe(0);
  });
});

import { Histogram, Registry } from 'prom-client';
import { Durations } from './durations';

const BUCKETS = [0.1, 0.5, 2];
const SEEN = [
  ['a', 0],
  ['a', 0.1],
  ['b', 0.100001],
  ['a', 2],
  ['b', 7],
] as const;

describe('durations', () => {
  it('are told as prom-client’s own histogram tells them, with a label and without', async () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    const labelled = new Durations({ name: 'with', help: 'With.', label: 'endpoint', buckets: BUCKETS, registry: ours });
    const plain = new Durations({ name: 'without', help: 'Without.', buckets: BUCKETS, registry: ours });
    const their = new Histogram({ name: 'with', help: 'With.', labelNames: ['endpoint'], buckets: BUCKETS, registers: [theirs] });
    const theirPlain = new Histogram({ name: 'without', help: 'Without.', buckets: BUCKETS, registers: [theirs] });
    for (const [endpoint, seconds] of SEEN) {
      labelled.observe(seconds, endpoint);
      plain.observe(seconds);
      their.observe({ endpoint }, seconds);
      theirPlain.observe(seconds);
    }
    expect(await ours.metrics()).toBe(await theirs.metrics());
    expect(ours.getSingleMetric('with')).toBe(labelled);
  });

  it('begin anew after a reset', async () => {
    const durations = new Durations({ name: 'd', help: 'D.', buckets: BUCKETS, registry: new Registry() });
    durations.observe(1);
    durations.reset();
    durations.observe(0.2);
    expect((await durations.get()).values.find(({ metricName }) => metricName === 'd_count')?.value).toBe(1);
  });
});

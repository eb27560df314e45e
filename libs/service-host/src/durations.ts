import type { Metric, MetricObjectWithValues, MetricValueWithName, Registry } from 'prom-client';

export interface DurationsOptions<L extends string> {
  readonly name: string;
  readonly help: string;
  /** Upper bounds in seconds, ascending. */
  readonly buckets: readonly number[];
  /** The one label, where there is one. */
  readonly label?: L;
  readonly registry: Registry;
}

interface Counted {
  /** One more than there are bounds: what is above all of them. */
  readonly inBucket: number[];
  sum: number;
}

/**
 * A histogram with one label at most, for what every call observes: prom-client's own sorts and joins the labels at each observation, which costs
 * more than the rest of it. What is asked for looks as if it were one of those.
 */
export class Durations<L extends string = never> {
  readonly name: string;
  readonly help: string;
  private readonly counts = new Map<string, Counted>();

  constructor(private readonly options: DurationsOptions<L>) {
    this.name = options.name;
    this.help = options.help;
    options.registry.registerMetric(this as unknown as Metric);
  }

  /** @param of the label's value */
  observe(seconds: number, of = ''): void {
    let counted = this.counts.get(of);
    if (counted === undefined) this.counts.set(of, (counted = { inBucket: this.options.buckets.map(() => 0).concat(0), sum: 0 }));
    const { buckets } = this.options;
    let bucket = 0;
    while (bucket < buckets.length && seconds > (buckets[bucket] ?? Infinity)) bucket++;
    counted.inBucket[bucket] = (counted.inBucket[bucket] ?? 0) + 1;
    counted.sum += seconds;
  }

  reset(): void {
    this.counts.clear();
  }

  async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const values: MetricValueWithName<string>[] = [];
    const { name, help, label, buckets } = this.options;
    for (const [of, { inBucket, sum }] of this.counts) {
      const labels = label === undefined ? {} : { [label]: of };
      let below = 0;
      for (const [i, count] of inBucket.entries()) {
        below += count;
        values.push({ metricName: `${name}_bucket`, labels: { le: buckets[i] ?? '+Inf', ...labels }, value: below });
      }
      values.push({ metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: below });
    }
    return { name, help, type: 'histogram', values, aggregator: 'sum' } as unknown as MetricObjectWithValues<MetricValueWithName<string>>;
  }
}

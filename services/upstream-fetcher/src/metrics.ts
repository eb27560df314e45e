import { Durations } from '@weir/service-host';
import { Counter, Gauge, type Registry } from 'prom-client';

export interface FetcherMetrics {
  readonly calls: CallCount;
  readonly upstream: Durations<'endpoint'>;
  /** How many, by what came of them. */
  readonly attempts: Map<string, number>;
  readonly holds: Durations;
  readonly drift: Counter<'endpoint'>;
}

interface CallLabels {
  readonly endpoint: string;
  readonly status: number;
  readonly cache: string;
}

/** Calls since the metrics were last asked for. A counter with labels sorts and joins them at each step, which costs more than counting. */
export class CallCount {
  private readonly byEndpoint = new Map<string, { readonly labels: CallLabels; count: number }[]>();

  inc(endpoint: string, status: number, cache: string): void {
    let counts = this.byEndpoint.get(endpoint);
    if (counts === undefined) this.byEndpoint.set(endpoint, (counts = []));
    let counted = counts.find(({ labels }) => labels.status === status && labels.cache === cache);
    if (counted === undefined) counts.push((counted = { labels: { endpoint, status, cache }, count: 0 }));
    counted.count++;
  }

  drain(take: (labels: CallLabels, count: number) => void): void {
    for (const counts of this.byEndpoint.values()) for (const { labels, count } of counts) take({ ...labels }, count);
    this.byEndpoint.clear();
  }
}

export function createMetrics(registry: Registry, gauges: { waiting: () => number; flights: () => number }): FetcherMetrics {
  const registers = [registry];
  new Gauge({
    name: 'weir_usage_records_waiting',
    help: 'Usage records in memory that the bus has not acknowledged',
    registers,
    collect() {
      this.set(gauges.waiting());
    },
  });
  new Gauge({
    name: 'weir_answers_in_flight',
    help: 'Answers being looked up or fetched, each for one call or several identical ones',
    registers,
    collect() {
      this.set(gauges.flights());
    },
  });
  const calls = new CallCount();
  new Counter({
    name: 'weir_calls_total',
    help: 'Calls of tenants',
    labelNames: ['endpoint', 'status', 'cache'],
    registers,
    collect() {
      calls.drain((labels, count) => this.inc(labels, count));
    },
  });
  const attempts = new Map<string, number>();
  new Counter({
    name: 'weir_upstream_attempts_total',
    help: 'Attempts at the upstream, by what came of them',
    labelNames: ['outcome'],
    registers,
    collect() {
      for (const [outcome, count] of attempts) this.inc({ outcome }, count);
      attempts.clear();
    },
  });
  return {
    calls,
    attempts,
    upstream: new Durations({
      name: 'weir_upstream_seconds',
      help: 'Time of an attempt at the upstream',
      label: 'endpoint',
      buckets: [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10],
      registry,
    }),
    drift: new Counter({
      name: 'weir_catalog_drift_total',
      help: 'Answers that differed from what the catalog knows of their endpoint; one a second of each is looked at',
      labelNames: ['endpoint'],
      registers,
    }),
    holds: new Durations({
      name: 'weir_hold_seconds',
      help: 'How long a call waited until the bus had its hold',
      buckets: [0.0005, 0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
      registry,
    }),
  };
}

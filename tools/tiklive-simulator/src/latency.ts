export interface LatencySettings {
  /** The median, in milliseconds; 0: answer at once. */
  readonly latencyP50Ms: number;
  /** Of the logarithm: 0.35 gives a p95 of 1.8 and a p99 of 2.3 times the median. */
  readonly latencySigma: number;
}

/** No real upstream takes longer without its load balancer giving up. */
const LONGEST_MS = 60_000;

/** Lognormal: how response times are spread, a long tail above the median and none below. */
export function sampleLatencyMs({ latencyP50Ms, latencySigma }: LatencySettings, random: () => number = Math.random): number {
  if (latencyP50Ms === 0) return 0;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.min(LONGEST_MS, latencyP50Ms * Math.exp(latencySigma * normal));
}

import type { Sample } from '../bench';

/** One decision in so many is timed. */
const TIMED = 8;

/** So many lanes, each with its next decision as soon as it has one. */
export async function outstanding(lanes: number, seconds: number, decide: (n: number) => Promise<unknown>): Promise<Sample> {
  const times: number[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  let done = 0;
  let next = 0;
  const lane = async () => {
    while (performance.now() < end) {
      const n = next++;
      const from = n % TIMED === 0 ? performance.now() : 0;
      await decide(n);
      if (n % TIMED === 0) times.push(performance.now() - from);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const took = (performance.now() - begun) / 1_000;
  times.sort((a, b) => a - b);
  const at = (q: number) => times[Math.floor(q * (times.length - 1))] ?? 0;
  return { operations: done, seconds: took, figures: { 'p50 ms': at(0.5), 'p99 ms': at(0.99) } };
}

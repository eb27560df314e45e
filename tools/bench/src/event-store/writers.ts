import type { Sample } from '../bench';

/** `writers` at once, each doing one thing after the other, for so many seconds. */
export async function closedLoop(writers: number, seconds: number, once: (writer: number, turn: number) => Promise<unknown>): Promise<Sample> {
  const latencies: number[] = [];
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  const one = async (_: unknown, writer: number): Promise<void> => {
    for (let turn = 0; performance.now() < end; turn++) {
      const from = performance.now();
      await once(writer, turn);
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: writers }, one));
  const took = (performance.now() - begun) / 1_000;
  latencies.sort((a, b) => a - b);
  const percentile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? NaN;
  const mean = latencies.reduce((sum, ms) => sum + ms, 0) / latencies.length;
  return { operations: latencies.length, seconds: took, figures: { 'mean ms': mean, 'p99 ms': percentile(0.99) } };
}

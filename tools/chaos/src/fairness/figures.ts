/** Jain's index: 1 when all are equal, 1/n when one has everything. */
export function jain(of: readonly number[]): number {
  const sum = of.reduce((a, b) => a + b, 0);
  const squares = of.reduce((a, b) => a + b * b, 0);
  return squares === 0 ? 0 : (sum * sum) / (of.length * squares);
}

/** By sorting; 0 of nothing. */
export function quantile(of: readonly number[], q: number): number {
  const sorted = of.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
}

/** The longest time without an admission, the last of which ends at `endMs`. */
export function longestGap(times: readonly number[], beginMs: number, endMs: number): number {
  let longest = 0;
  let last = beginMs;
  for (const time of [...times, endMs]) {
    longest = Math.max(longest, time - last);
    last = time;
  }
  return longest;
}

/**
 * Weighted max–min: who wants less than its part has what it wants, and what it leaves is divided among the others.
 *
 * @param of each one's demand (Infinity: everything) and weight
 */
export function maxMin(of: readonly { readonly demand: number; readonly weight: number }[], total: number): number[] {
  const shares = of.map(() => 0);
  const byThirst = of.map((_, i) => i).toSorted((a, b) => thirst(of[a]) - thirst(of[b]));
  let left = total;
  let weights = of.reduce((sum, { weight }) => sum + weight, 0);
  for (const i of byThirst) {
    const { demand, weight } = of[i] ?? { demand: 0, weight: 1 };
    const share = Math.min(demand, (left * weight) / weights);
    shares[i] = share;
    left -= share;
    weights -= weight;
  }
  return shares;
}

const thirst = (of: { readonly demand: number; readonly weight: number } | undefined): number => (of ? of.demand / of.weight : 0);

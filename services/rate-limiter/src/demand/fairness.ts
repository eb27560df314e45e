/** One tenant's part in a key: calls that were admitted, that wanted to be, and its weight among the others. */
export interface Part {
  readonly admitted: number;
  readonly wanted: number;
  /** More than 0. */
  readonly weight: number;
}

/**
 * The weighted max-min fair division of `capacity` calls: nobody gets more than it wanted, and what one leaves goes to the others by
 * weight (water-filling; Bertsekas and Gallager, Data Networks, 6.5.2). Answers in the order given.
 */
export function fairDivision(parts: readonly Part[], capacity: number): number[] {
  const fair = parts.map(() => 0);
  let left = capacity;
  // those soonest content first: each takes what it wanted or its share of what is left, whichever is less
  const order = parts.map((_, i) => i).sort((a, b) => level(parts[a]) - level(parts[b]));
  let weight = parts.reduce((sum, part) => sum + part.weight, 0);
  for (const i of order) {
    const part = parts[i];
    if (part === undefined) continue;
    const share = Math.min(part.wanted, weight > 0 ? (left * part.weight) / weight : 0);
    fair[i] = share;
    left -= share;
    weight -= part.weight;
  }
  return fair;
}

/**
 * Jain's index over what each got against its fair division of what all got: 1 when everyone got its share, 1/n when one got all
 * (Jain, Chiu, Hawe 1984, DEC-TR-301). null when nobody asked.
 */
export function fairnessIndex(parts: readonly Part[]): number | null {
  const fair = fairDivision(
    parts,
    parts.reduce((sum, { admitted }) => sum + admitted, 0),
  );
  const ratios = parts.flatMap(({ admitted, wanted }, i) => (wanted > 0 && fair[i] ? [admitted / fair[i]] : []));
  const squares = ratios.reduce((sum, x) => sum + x * x, 0);
  if (squares === 0) return null;
  return ratios.reduce((sum, x) => sum + x, 0) ** 2 / (ratios.length * squares);
}

const level = (part: Part | undefined): number => (part === undefined ? 0 : part.wanted / part.weight);

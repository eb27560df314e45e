/** Something that is broken on purpose, and what must hold all the same. */
export interface Scenario {
  /** As it is called: `npm run chaos -- <name>`. */
  readonly name: string;
  /** One line, for the list. */
  readonly title: string;
  /** How many times where nobody says: what `--times` counts is the scenario's own, such as kills or transactions. */
  readonly times: number;
  /** For how long where nobody says, of a scenario that takes a time: `--seconds`. */
  readonly seconds?: number;
  run(run: Run): Promise<Outcome>;
}

export interface Run {
  readonly times: number;
  readonly seconds: number;
  /** From 0 up to 1, the same for the same seed. */
  readonly random: () => number;
  /** An empty directory, removed at the end. */
  readonly directory: string;
  progress(line: string): void;
}

export interface Outcome {
  readonly invariants: readonly Invariant[];
  /** Whatever else there is to say, such as `{ moves: 20 }`. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface Invariant {
  /** What must hold, with the case's id, such as `R10 no event is lost`. */
  readonly title: string;
  readonly holds: boolean;
  /** What was found instead. */
  readonly detail?: string;
}

export const invariant = (title: string, holds: boolean, detail: unknown = ''): Invariant => ({
  title,
  holds,
  ...(holds ? {} : { detail: typeof detail === 'string' ? detail : JSON.stringify(detail) }),
});

/** mulberry32: small, and good enough to choose what breaks when. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Something measured beside what it is compared with, in one run. See docs/performance.md for how to add one. */
export interface Bench {
  readonly name: string;
  /** One line, for the list of benches. */
  readonly title: string;
  open(ground: Ground): Promise<OpenBench>;
}

/** What a bench is given. */
export interface Ground {
  /** An empty directory, removed at the end. */
  readonly directory: string;
  /** Moves a process and its children to the servers' cores, and counts the CPU of all of them under this name from now on. */
  server(name: string, pid: number): void;
  progress(line: string): void;
  /** Whether a side of that name is measured in this run: what the others alone need may be left out. */
  wants(side: string): boolean;
}

export interface OpenBench {
  /** Measured in this order, one after the other, in every round. */
  readonly sides: readonly Side[];
  readonly gates: readonly Gate[];
  close(): Promise<void>;
}

export interface Side {
  readonly name: string;
  /** The side that counts as 1 for this one. */
  readonly against?: string;
  /** Before each of its turns, outside of what is measured. */
  before?(): Promise<void>;
  /** One turn of about so many seconds; the first, a warm-up, is not counted. */
  run(seconds: number): Promise<Sample>;
  /** After each of its turns: whether what was measured was right. Throws when not. */
  check?(): Promise<void>;
}

export interface Sample {
  readonly operations: number;
  /** In which they were done; not the time that setting up took. */
  readonly seconds: number;
  /** Whatever else there is to say, such as `{ 'p50 ms': 0.8 }`: a column each. */
  readonly figures?: Readonly<Record<string, number>>;
}

/** The medians of a side's rounds. */
export interface Result {
  readonly side: string;
  readonly against: string | undefined;
  /** Operations a second. */
  readonly rate: number;
  /** Of the rate to the rate of the side that it is against, of each round. */
  readonly ratio: number | undefined;
  /** µs an operation: `client` is the bench's own process and the children that it waited for, the others are its servers. */
  readonly cpu: Readonly<Record<string, number>>;
  readonly figures: Readonly<Record<string, number>>;
  readonly rounds: readonly Round[];
}

export interface Round {
  readonly rate: number;
  readonly ratio: number | undefined;
  readonly cpu: Readonly<Record<string, number>>;
  readonly figures: Readonly<Record<string, number>>;
}

export interface Gate {
  readonly title: string;
  /** undefined when the sides it judges were left out of this run. */
  value(resultOf: (side: string) => Result | undefined): number | undefined;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export const ratioGate = (side: string, atLeast: number): Gate => ({
  title: `${side}: ratio`,
  value: (resultOf) => resultOf(side)?.ratio,
  atLeast,
});

import type { Result, Round, Side } from './bench';
import { cpuOfTree, ownCpu } from './cpu';

export interface Turns {
  readonly rounds: number;
  /** Of each turn. */
  readonly seconds: number;
  /** Process trees by name. */
  readonly servers: ReadonlyMap<string, number>;
  readonly progress: (line: string) => void;
}

interface Turn {
  readonly rate: number;
  readonly cpu: Record<string, number>;
  readonly figures: Readonly<Record<string, number>>;
}

/** A warm-up of every side, then the rounds: in each, every side has its turn, so that what disturbs the machine disturbs all. */
export async function measure(sides: readonly Side[], turns: Turns): Promise<Result[]> {
  const taken = new Map<string, Turn[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round <= turns.rounds; round++) {
    for (const side of sides) {
      const turn = await take(side, turns);
      if (round > 0) taken.get(side.name)?.push(turn);
      turns.progress(`${round === 0 ? 'warm-up' : `round ${round}`}  ${side.name}: ${turn.rate.toFixed(turn.rate < 10 ? 2 : 0)}/s`);
    }
  }
  return sides.map((side) => resultOf(side, taken));
}

async function take(side: Side, { seconds, servers }: Turns): Promise<Turn> {
  await side.before?.();
  const before = cpuNow(servers);
  const { operations, seconds: took, figures = {} } = await side.run(seconds);
  const after = cpuNow(servers);
  if (!(operations > 0)) throw new Error('nothing was done in a turn: is the machine too busy?');
  await side.check?.();
  const cpu = Object.fromEntries([...after].map(([name, ms]) => [name, ((ms - (before.get(name) ?? 0)) * 1_000) / operations]));
  return { rate: operations / took, cpu, figures };
}

const cpuNow = (servers: ReadonlyMap<string, number>): Map<string, number> =>
  new Map([['client', ownCpu()], ...[...servers].map(([name, pid]) => [name, cpuOfTree(pid)] as const)]);

function resultOf({ name, against }: Side, taken: ReadonlyMap<string, Turn[]>): Result {
  const others = against === undefined ? undefined : taken.get(against);
  const rounds: Round[] = (taken.get(name) ?? []).map((turn, index) => {
    const other = others?.[index];
    return { ...turn, ratio: other === undefined ? undefined : turn.rate / other.rate };
  });
  const ratios = rounds.flatMap(({ ratio }) => (ratio === undefined ? [] : [ratio]));
  return {
    side: name,
    against,
    rate: median(rounds.map(({ rate }) => rate)),
    ratio: ratios.length === 0 ? undefined : median(ratios),
    cpu: medians(rounds.map(({ cpu }) => cpu)),
    figures: medians(rounds.map(({ figures }) => figures)),
    rounds,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return Number.isInteger(half) ? ((sorted[half - 1] ?? NaN) + (sorted[half] ?? NaN)) / 2 : (sorted[Math.floor(half)] ?? NaN);
}

function medians(rows: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return Object.fromEntries(names.map((name) => [name, median(rows.flatMap((row) => row[name] ?? []))]));
}

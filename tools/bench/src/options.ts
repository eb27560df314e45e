import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly name: string;
  readonly rounds: number;
  readonly seconds: number;
  /** Only sides whose name has one of these words in it; undefined: all. */
  readonly sides: readonly string[] | undefined;
}

export const USAGE = `npm run bench -- <name>: measures something beside what it is compared with, in one run; writes reports/<name>.json and ends
with 1 when a gate is missed. docs/performance.md says how to read it.

  --rounds <n>      counted rounds after the warm-up (default 3, at least 1)
  --seconds <s>     of each side in each round (default 3)
  --sides <a>,<b>   only the sides with these words in their names; gates over others are not judged
  --help

`;

/** @throws TypeError with what is wrong with what was given */
export function readOptions(argv: readonly string[]): BenchOptions | 'help' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '3' },
      sides: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) throw new TypeError('one bench is to be named');
  const rounds = Number(values.rounds);
  const seconds = Number(values.seconds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError(`--rounds takes a number from 1 on, and not ${values.rounds}`);
  if (!(seconds > 0)) throw new TypeError(`--seconds takes a number above 0, and not ${values.seconds}`);
  return { name, rounds, seconds, sides: values.sides?.split(',') };
}

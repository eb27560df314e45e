import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded, type Scenario } from './scenario';
import { SCENARIOS } from './scenarios';

const USAGE = `npm run chaos -- <scenario>: breaks things on purpose and looks whether what must hold holds; writes reports/chaos-<scenario>.json and ends
with 1 when something does not.

  --seed <n>    what breaks when; said in the report (default: another one each time)
  --times <n>   how often, where the scenario says so
  --seconds <n> for how long, where the scenario says so
  --help

`;
/** A scenario that takes a time says it; one that is done several times as well says both. */
const measureOf = (times: number, seconds: number | undefined) => [...(seconds === undefined ? [] : [`--seconds ${seconds}`]), ...(seconds === undefined || times !== 1 ? [`--times ${times}`] : [])].join(' ');
const list = () => `${SCENARIOS.map(({ name, title, times, seconds }) => `  ${name.padEnd(12)}  ${title} (${measureOf(times, seconds)})`).join('\n')}\n`;

function fail(message: string, code: number): never {
  process.stderr.write(`weir: ${message}\n`);
  process.exit(code);
}

interface Options {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly times: number;
  readonly seconds: number;
}

/** @throws TypeError with what is wrong with what was given */
function readOptions(argv: readonly string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { seed: { type: 'string' }, times: { type: 'string' }, seconds: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
  });
  if (values.help) return 'help';
  const scenario = SCENARIOS.find(({ name }) => name === positionals[0]);
  if (scenario === undefined || positionals.length > 1) throw new TypeError('one scenario is to be named');
  const whole = (name: string, text: string | undefined, fallback: number) => {
    const value = text === undefined ? fallback : Number(text);
    if (!Number.isSafeInteger(value) || value < 0) throw new TypeError(`--${name} takes a whole number, and not ${text}`);
    return value;
  };
  return { scenario, seed: whole('seed', values.seed, Math.floor(Math.random() * 1e9)), times: whole('times', values.times, scenario.times), seconds: whole('seconds', values.seconds, scenario.seconds ?? 0) };
}

async function run({ scenario, seed, times, seconds: forSeconds }: Options): Promise<boolean> {
  const begun = new Date();
  const directory = mkdtempSync(join(tmpdir(), `weir-chaos-${scenario.name}-`));
  try {
    const progress = (line: string) => void process.stderr.write(`${line}\n`);
    const asked = `${scenario.name} --seed ${seed} ${measureOf(times, scenario.seconds === undefined ? undefined : forSeconds)}`;
    progress(asked);
    const outcome = await scenario.run({ times, seconds: forSeconds, random: seeded(seed), directory, progress });
    const held = outcome.invariants.length > 0 && outcome.invariants.every(({ holds }) => holds);
    const command = `npm run chaos -- ${asked}`;
    const seconds = (Date.now() - begun.getTime()) / 1_000;
    mkdirSync('reports', { recursive: true });
    const file = join('reports', `chaos-${scenario.name}.json`);
    writeFileSync(file, `${JSON.stringify({ scenario: scenario.name, command, begun, seconds, seed, times, held, node: process.version, ...outcome }, null, 2)}\n`);
    for (const { title, holds, detail } of outcome.invariants) process.stdout.write(`${holds ? 'holds ' : 'BROKEN'}  ${title}${detail === undefined ? '' : `: ${detail}`}\n`);
    for (const [name, value] of Object.entries(outcome.figures)) process.stdout.write(`        ${name}: ${value}\n`);
    process.stdout.write(`${file}\n`);
    return held;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  let options: Options | 'help';
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    fail(`${(error as Error).message}\n\n${USAGE}${list()}`, 2);
  }
  if (options === 'help') return void process.stdout.write(`${USAGE}${list()}`);
  if (!(await run(options))) process.exitCode = 1;
}

// an exit of its own, so that servers are told to end too
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
main().catch((error: Error) => fail(error.stack ?? error.message, 1));

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BENCHES } from './benches';
import type { Bench } from './bench';
import { claimCores } from './cores';
import { measure } from './measure';
import { USAGE, readOptions, type BenchOptions } from './options';
import { gatesTable, judge, machine, resultsTable, writeReport } from './report';

const progress = (line: string) => void process.stderr.write(`${line}\n`);
const list = () => `${BENCHES.map(({ name, title }) => `  ${name.padEnd(16)}  ${title}`).join('\n')}\n`;

async function run(bench: Bench, options: BenchOptions): Promise<boolean> {
  const begun = new Date();
  const cores = claimCores();
  const servers = new Map<string, number>();
  const directory = mkdtempSync(join(tmpdir(), `weir-bench-${bench.name}-`));
  const server = (name: string, pid: number) => {
    servers.set(name, pid);
    cores.moveToServers(pid);
  };
  try {
    const wants = (name: string) => options.sides?.some((word) => name.includes(word)) ?? true;
    const open = await bench.open({ directory, server, progress, wants });
    try {
      const sides = open.sides.filter(({ name }) => wants(name));
      const results = await measure(sides, { ...options, servers, progress });
      const judged = judge(open.gates, results);
      const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`;
      const { rounds, seconds } = options;
      const file = writeReport(bench.name, { bench: bench.name, begun, command, rounds, seconds, machine: machine(cores), results, gates: judged });
      process.stdout.write(`${resultsTable(results)}\n${judged.length === 0 ? '' : `${gatesTable(judged)}\n`}${file}\n`);
      return judged.every(({ verdict }) => verdict !== 'missed');
    } finally {
      await open.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function fail(message: string, code: number): never {
  process.stderr.write(`weir: ${message}\n`);
  process.exit(code);
}

async function main(): Promise<void> {
  let options: BenchOptions | 'help';
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    fail(`${(error as Error).message}\n\n${USAGE}${list()}`, 2);
  }
  if (options === 'help') return void process.stdout.write(`${USAGE}${list()}`);
  const { name } = options;
  const bench = BENCHES.find((one) => one.name === name);
  if (bench === undefined) fail(`there is no bench ${name}; there are\n\n${list()}`, 2);
  if (!(await run(bench, options))) process.exitCode = 1;
}

// an exit of its own, so that the servers are told to end too
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
main().catch((error: Error) => fail(error.stack ?? error.message, 1));

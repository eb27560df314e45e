import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import type { Gate, Result } from './bench';
import type { Cores } from './cores';

export interface Judged {
  readonly title: string;
  readonly bound: string;
  readonly value: number | undefined;
  readonly verdict: 'passed' | 'missed' | 'not measured';
}

export function judge(gates: readonly Gate[], results: readonly Result[]): Judged[] {
  return gates.map(({ title, atLeast, atMost, ...gate }) => {
    const value = gate.value((side) => results.find((result) => result.side === side));
    const bound = [atLeast === undefined ? [] : `≥ ${atLeast}`, atMost === undefined ? [] : `≤ ${atMost}`].flat().join(', ');
    // a value that is not a number passes nothing
    const passed = value !== undefined && value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
    return { title, bound, value, verdict: value === undefined ? 'not measured' : passed ? 'passed' : 'missed' };
  });
}

export const machine = ({ client, servers }: Cores) => ({
  cores: cpus().length,
  model: cpus()[0]?.model ?? 'unknown',
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  pinned: client === undefined ? 'nothing' : `client on ${client}, servers on ${servers}`,
  // other work on the machine shows here
  loadAverage: loadavg().map((load) => Number(load.toFixed(2))),
});

export function writeReport(name: string, report: object): string {
  mkdirSync('reports', { recursive: true });
  const file = join('reports', `${name}.json`);
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  return file;
}

export function resultsTable(results: readonly Result[]): string {
  const cpu = columnsOf(results.map((result) => result.cpu));
  const figures = columnsOf(results.map((result) => result.figures));
  const head = ['', '/s', '×', ...cpu.map((name) => `CPU µs, ${name}`), ...figures];
  const rows = results.map((result) => [
    result.side,
    say(result.rate),
    result.ratio === undefined ? '1' : result.ratio.toFixed(2),
    ...cpu.map((name) => say(result.cpu[name])),
    ...figures.map((name) => say(result.figures[name])),
  ]);
  return table(head, rows);
}

export const gatesTable = (judged: readonly Judged[]): string =>
  table(['gate', 'bound', 'measured', ''], judged.map(({ title, bound, value, verdict }) => [title, bound, value?.toFixed(2) ?? '-', verdict]));

const columnsOf = (rows: readonly Readonly<Record<string, number>>[]): string[] => [...new Set(rows.flatMap((row) => Object.keys(row)))];

const say = (value: number | undefined): string => (value === undefined ? '-' : value >= 100 ? String(Math.round(value)) : value.toFixed(value < 10 ? 2 : 1));

function table(head: string[], rows: string[][]): string {
  const made = new Table({ head, style: { head: [], border: [] }, colAligns: head.map((_, index) => (index === 0 ? 'left' : 'right')) });
  made.push(...rows);
  return made.toString();
}

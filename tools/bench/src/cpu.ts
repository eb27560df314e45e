import { readFileSync, readdirSync } from 'node:fs';

/** CPU that a tree of processes has used, in ms since it began, its ended and collected children included. */
export function cpuOfTree(root: number): number {
  const stats = [...everyStat()];
  const members = treeOf(root, stats);
  return stats.filter(({ pid }) => members.has(pid)).reduce((sum, stat) => sum + stat.ownMs + stat.collectedMs, 0);
}

/** A process and all below it. */
export const pidsOfTree = (root: number): number[] => [...treeOf(root, [...everyStat()])];

/** CPU of this process and of the children that it has waited for, in ms. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000 + (statOf(process.pid)?.collectedMs ?? 0);
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly ownMs: number;
  readonly collectedMs: number;
}

/** USER_HZ, which is 100 on every Linux that Node runs on: /proc counts in ticks of 10 ms. */
const TICK_MS = 10;

function treeOf(root: number, stats: readonly Stat[]): Set<number> {
  const members = new Set([root]);
  for (let size = 0; size !== members.size;) {
    size = members.size;
    for (const { pid, parent } of stats) if (members.has(parent)) members.add(pid);
  }
  return members;
}

function* everyStat(): Generator<Stat> {
  if (process.platform !== 'linux') return;
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined;
    if (stat !== undefined) yield stat;
  }
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the name in parentheses may hold anything, so count from its end: state, parent, …, and from the twelfth on utime, stime, cutime, cstime
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ').map(Number);
    const ticks = (index: number) => (fields[index] ?? 0) * TICK_MS;
    return { pid, parent: fields[1] ?? 0, ownMs: ticks(11) + ticks(12), collectedMs: ticks(13) + ticks(14) };
  } catch {
    return undefined;
  }
}

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process and no other: the system gives a pid again, but not with the same start. */
export interface Identity {
  readonly pid: number;
  readonly startedAt: string;
}

/** undefined when there is no such process. */
export function identify(pid: number): Identity | undefined {
  const startedAt = process.platform === 'linux' ? linuxStart(pid) : portableStart(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

export const isRunning = ({ pid, startedAt }: Identity): boolean => identify(pid)?.startedAt === startedAt;

/** Arguments of a process, '' where the system does not tell. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

/** Clock ticks since the boot, and which boot. */
function linuxStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // the name in parentheses may hold anything, so count from its end: state is the first field there, the start the twentieth
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function portableStart(pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

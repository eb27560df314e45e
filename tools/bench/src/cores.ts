import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { pidsOfTree } from './cpu';

export interface Cores {
  /** As taskset lists them, such as `0-1`; undefined: not pinned. */
  readonly client: string | undefined;
  readonly servers: string | undefined;
  moveToServers(pid: number): void;
}

/**
 * The first half of the cores is for the bench itself and what it starts, the other half for servers, so that neither side's client
 * takes its server's time. Where there is one core, or no taskset, nothing is pinned.
 */
export function claimCores(): Cores {
  const cores = availableParallelism();
  const half = Math.floor(cores / 2);
  if (half === 0 || !pin(process.pid, `0-${half - 1}`)) return { client: undefined, servers: undefined, moveToServers: () => undefined };
  const servers = `${half}-${cores - 1}`;
  return { client: `0-${half - 1}`, servers, moveToServers: (pid) => pidsOfTree(pid).forEach((one) => pin(one, servers)) };
}

const pin = (pid: number, cores: string): boolean => spawnSync('taskset', ['-a', '-p', '-c', cores, String(pid)], { stdio: 'ignore' }).status === 0;

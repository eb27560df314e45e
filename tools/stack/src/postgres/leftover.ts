import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '@weir/kernel';
import { commandLine, identify } from '../process/identity';

const GRACE_MS = 10_000;

/**
 * A server that outlived a killed launcher still holds its directory: it is asked to finish (SIGINT, PostgreSQL's fast shutdown)
 * and waited for. A postmaster.pid that names some other process is a stale one, and removed.
 */
export async function stopLeftover(cluster: string): Promise<void> {
  const file = join(cluster, 'postmaster.pid');
  let pid: number;
  try {
    pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  } catch {
    return;
  }
  const server = identify(pid);
  if (server === undefined || !commandLine(pid).includes(cluster)) {
    rmSync(file, { force: true });
    return;
  }
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + GRACE_MS;
  while (identify(pid)?.startedAt === server.startedAt) {
    if (Date.now() > deadline) process.kill(pid, 'SIGQUIT');
    await sleep(20);
  }
}

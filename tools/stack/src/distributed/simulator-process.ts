import { join } from 'node:path';
import type { Environment } from '../parts/part';
import { startChild, untilReady } from '../process/child';
import { freePort } from '../process/free-port';
import type { Ledger } from '../process/ledger';

export interface SimulatorProcess {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** The upstream's simulator as a process of its own; keys, balances and ledger outlive it. */
export async function startSimulatorProcess(options: { codeDir: string; dataDir: string; logDir: string; environment: Environment; ledger: Ledger }): Promise<SimulatorProcess> {
  const { codeDir, dataDir, logDir, environment, ledger } = options;
  const port = await freePort(Number(environment['WEIR_SIMULATOR_PORT'] ?? 0));
  const url = `http://127.0.0.1:${port}`;
  const child = await startChild({
    name: 'simulator',
    command: process.execPath,
    args: [join(codeDir, 'tools', 'tiklive-simulator', 'src', 'main.js'), '--port', String(port), '--state-file', join(dataDir, 'simulator.jsonl')],
    logFile: join(logDir, 'simulator.log'),
    environment: { PATH: environment['PATH'], WEIR_SIMULATOR_LATENCY_P50_MS: environment['WEIR_SIMULATOR_LATENCY_P50_MS'] ?? '120' },
    ledger,
  });
  await untilReady(child, async () => {
    const { ok } = await fetch(`${url}/_simulator/health`, { signal: AbortSignal.timeout(2_000) });
    if (!ok) throw new Error('not healthy');
  });
  return { url, pid: child.pid, stop: child.stop };
}

import { sleep } from '@weir/kernel';

/** MiB in use by a process, garbage not counted. */
export interface Memory {
  readonly heap: number;
  /** Buffers. */
  readonly external: number;
  /** All that it takes of the machine, garbage and code included. */
  readonly rss: number;
}

/** Where Node listens once it was sent SIGUSR1. */
const INSPECTOR = 'http://127.0.0.1:9229/json/list';
const TRIES = 50;

/**
 * What a Node process holds on to: by its own inspector, after a full collection. It is stopped for that while, some 100 ms.
 *
 * @throws Error when another process listens where its inspector would
 */
export async function memoryOf(pid: number): Promise<Memory> {
  const socket = new WebSocket(await inspectorOf(pid));
  let asked = 0;
  const ask = (method: string, params: object = {}) =>
    new Promise<{ result?: { value?: string } }>((resolve) => {
      const id = ++asked;
      socket.addEventListener('message', ({ data }) => {
        const said = JSON.parse(String(data)) as { id?: number; result: { result?: { value?: string } } };
        if (said.id === id) resolve(said.result);
      });
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error('the inspector cannot be reached')), { once: true });
    });
    await ask('HeapProfiler.collectGarbage');
    const { result } = await ask('Runtime.evaluate', { expression: 'JSON.stringify({ pid: process.pid, ...process.memoryUsage() })', returnByValue: true });
    const found = JSON.parse(result?.value ?? '{}') as { pid: number; heapUsed: number; external: number; rss: number };
    if (found.pid !== pid) throw new Error(`process ${found.pid} listens where the inspector of ${pid} would`);
    const mebibytes = (bytes: number) => bytes / 2 ** 20;
    return { heap: mebibytes(found.heapUsed), external: mebibytes(found.external), rss: mebibytes(found.rss) };
  } finally {
    socket.close();
  }
}

async function inspectorOf(pid: number): Promise<string> {
  process.kill(pid, 'SIGUSR1');
  for (let tries = 1; ; tries++) {
    try {
      const [target] = (await (await fetch(INSPECTOR)).json()) as { webSocketDebuggerUrl: string }[];
      if (target !== undefined) return target.webSocketDebuggerUrl;
      throw new Error('there is nothing to look at yet');
    } catch (error) {
      if (tries === TRIES) throw error;
      await sleep(100);
    }
  }
}

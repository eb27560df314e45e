import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { WeirFigures, WeirOptions, WeirReady } from './weir-process';

export interface Weir extends WeirReady {
  readonly pid: number;
  figures(): Promise<WeirFigures>;
  stop(): Promise<void>;
}

/** A fetcher in a process of its own. */
export async function startWeir(options: WeirOptions): Promise<Weir> {
  const child = fork(require.resolve('./weir-process'), [JSON.stringify(options)], {
    // as it is shipped; flags for a try come from outside
    execArgv: [...process.execArgv.filter((flag) => !flag.startsWith('--inspect')), ...(process.env['WEIR_BENCH_NODE_FLAGS']?.split(' ') ?? [])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ready = await message<WeirReady>(child);
  return {
    ...ready,
    pid: child.pid ?? 0,
    figures() {
      child.send('figures');
      return message<WeirFigures>(child);
    },
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

const message = <T>(child: ChildProcess): Promise<T> =>
  Promise.race([
    once(child, 'message').then(([said]) => said as T),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the fetcher of the bench ended with ${String(code)}`);
    }),
  ]);

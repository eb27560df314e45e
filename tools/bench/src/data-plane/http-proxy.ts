import { fork } from 'node:child_process';
import { once } from 'node:events';

export interface HttpProxy {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startHttpProxy(upstreamPort: number, tokens: readonly string[]): Promise<HttpProxy> {
  const child = fork(require.resolve('./http-proxy-process'), [JSON.stringify({ upstreamPort, tokens })], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    port,
    pid: child.pid ?? 0,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A service as its Deployment runs it: a process of its own, which signals reach. */
export interface ServiceProcess {
  readonly url: string;
  /** Sends the signal; resolves when the process has ended, with its exit code, null where the signal ended it. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

const ROOT = join(__dirname, '../../..');

/** @param environment beside PATH, the ports and the log level, all that it is told */
export async function startServiceProcess(name: string, environment: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const main = join(ROOT, 'services', name, 'src/main.ts');
  const child = spawn(process.execPath, ['--require', join(ROOT, 'tools/build/register.cjs'), main], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', WEIR_PORT: '0', WEIR_MANAGEMENT_PORT: '0', WEIR_LOG_LEVEL: 'info', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ready = new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      said += `${line}\n`;
      const { msg, url } = parsed(line);
      if (msg === 'ready' && url !== undefined) resolve(url);
    });
    void ended.then((code) => reject(new Error(`${name} ended with ${code}: ${said}`)));
  });
  return {
    url: await ready,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

function parsed(line: string): { msg?: string; url?: string } {
  try {
    return JSON.parse(line) as { msg?: string; url?: string };
  } catch {
    return {};
  }
}

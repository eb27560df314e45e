import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `npm start` as a stranger has it: the built program, as a process of its own, on a data directory. */
export class StandaloneShape {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'weir-journey-'));
  private child: ChildProcess | undefined;
  output = '';

  constructor(private readonly environment: Record<string, string> = {}) {}

  async start(): Promise<{ url: string; managementUrl: string; simulatorUrl: string; operatorToken: string; tenants: { slug: string; token: string }[] }> {
    this.output = '';
    const child = spawn(process.execPath, ['dist/services/standalone/src/main.js'], {
      env: { ...process.env, WEIR_PORT: '0', WEIR_MANAGEMENT_PORT: '0', WEIR_DATA_DIR: this.dataDir, WEIR_SIMULATOR_LATENCY_MS: '0', ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    await new Promise<void>((resolve, reject) => {
      const hear = (chunk: Buffer) => {
        this.output += chunk.toString();
        if (/^ready http/m.test(this.output)) resolve();
      };
      child.stdout?.on('data', hear);
      child.stderr?.on('data', hear);
      child.once('exit', (code) => reject(new Error(`standalone ended with ${code}:\n${this.output}`)));
    });
    return JSON.parse(readFileSync(join(this.dataDir, 'standalone.json'), 'utf8'));
  }

  /** Answers the exit code, or the signal's name. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string | null> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | string | null>((resolve) => child.once('exit', (code, by) => resolve(code ?? by)));
    child.kill(signal);
    return ended;
  }

  async remove(): Promise<void> {
    await this.end('SIGTERM');
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

import { join } from 'node:path';
import type { ServiceName } from '@weir/tenancy';
import type { Environment } from '../parts/part';
import { startChild, untilReady, type Child } from '../process/child';
import { freePort } from '../process/free-port';
import type { Ledger } from '../process/ledger';

export interface ServiceProcessOptions {
  readonly service: ServiceName;
  /** Counts from 1. */
  readonly replica: number;
  readonly environment: Environment;
  /** Compiled code: dist/. */
  readonly codeDir: string;
  readonly dataDir: string;
  readonly logDir: string;
  readonly ledger: Ledger;
  /** It ended, and nobody had asked it to. */
  readonly onDeath: (process: ServiceProcess, how: string) => void;
}

/**
 * One replica of a service: the same addresses whenever it runs, so that it can be killed and started again. It is never started
 * again by itself: who supervises a deployment does that, and a test wants to see what happens meanwhile.
 */
export class ServiceProcess {
  private child: Child | undefined;
  private stopping = false;

  private constructor(
    private readonly options: ServiceProcessOptions,
    private readonly port: number,
    private readonly managementPort: number,
  ) {}

  static async of(options: ServiceProcessOptions): Promise<ServiceProcess> {
    const port = await freePort();
    return new ServiceProcess(options, port, await freePort());
  }

  get service(): ServiceName {
    return this.options.service;
  }

  get name(): string {
    return `${this.options.service}-${this.options.replica}`;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get managementUrl(): string {
    return `http://127.0.0.1:${this.managementPort}`;
  }

  get pid(): number | undefined {
    return this.child?.exit() === undefined ? this.child?.pid : undefined;
  }

  get logFile(): string {
    return join(this.options.logDir, `${this.name}.log`);
  }

  /** @throws AppError `start-failed` with the last line of its log */
  async start(): Promise<void> {
    const { service, environment, codeDir, dataDir, ledger, onDeath } = this.options;
    this.stopping = false;
    const child = await startChild({
      name: this.name,
      command: process.execPath,
      // kafkajs computes a timeout that has passed already; Node 24 says so on every start
      args: ['--disable-warning=TimeoutNegativeWarning', join(codeDir, 'services', service, 'src', 'main.js')],
      logFile: this.logFile,
      environment: {
        ...environment,
        WEIR_HOST: '127.0.0.1',
        WEIR_PORT: String(this.port),
        WEIR_MANAGEMENT_PORT: String(this.managementPort),
        WEIR_DATA_DIR: join(dataDir, this.name),
      },
      graceMs: 26_000,
      ledger,
    });
    this.child = child;
    void child.exited.then((how) => {
      if (this.child === child && !this.stopping) onDeath(this, how);
    });
    await untilReady(child, () => answersReady(this.managementUrl), 45_000);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.child?.stop();
  }

  /** SIGKILL, without a word before or after. */
  async kill(): Promise<void> {
    this.stopping = true;
    const { child } = this;
    if (child === undefined || child.exit() !== undefined) return;
    process.kill(child.pid, 'SIGKILL');
    await child.exited;
  }
}

async function answersReady(managementUrl: string): Promise<void> {
  const response = await fetch(`${managementUrl}/readyz`, { signal: AbortSignal.timeout(3_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`/readyz says ${text.slice(0, 300)}`);
}

import type { Distributed } from '@weir/stack';
import type { ServiceName } from '@weir/tenancy';
import type { Watch } from './patient';

/** When a service is killed: amid a request that it serves, or whose work it goes on with. */
export interface Interruption {
  readonly service: ServiceName;
  /** Of the first request whose method and path are so. */
  readonly amid: RegExp;
  /** ms after it has left. */
  readonly afterMs: number;
}

/** Kills services -9, each once, and starts them again at once, while somebody goes on asking. */
export class Interruptions implements Watch {
  /** Pids: of the one that was killed, of the one after it. */
  readonly killed = new Map<ServiceName, { before: number | undefined; after: number | undefined }>();
  /** Requests that met nobody or were broken off. */
  readonly felt: string[] = [];
  private readonly begun = new Set<Interruption>();
  private readonly under: Promise<void>[] = [];

  constructor(
    private readonly plan: readonly Interruption[],
    private readonly distributed: () => Distributed,
  ) {}

  asked(method: string, path: string): void {
    for (const interruption of this.plan) {
      if (this.begun.has(interruption) || !interruption.amid.test(`${method} ${path}`)) continue;
      this.begun.add(interruption);
      const interrupted = this.interrupt(interruption);
      // who waits for it is told; until then it is no unhandled rejection
      interrupted.catch(() => undefined);
      this.under.push(interrupted);
    }
  }

  again(method: string, path: string): void {
    this.felt.push(`${method} ${path}`);
  }

  /** @throws the first reason why a service could not be started again */
  async over(): Promise<void> {
    await Promise.all(this.under);
  }

  private async interrupt({ service, afterMs }: Interruption): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const process = this.distributed().service(service);
    const before = process.pid;
    await process.kill();
    await process.start();
    this.killed.set(service, { before, after: process.pid });
  }
}

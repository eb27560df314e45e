import { join } from 'node:path';
import type { ServiceName } from '@weir/tenancy';
import { ServiceProcess } from './distributed/service-process';
import { repository } from './install/cache';
import type { Environment } from './parts/part';
import { openLedger } from './process/ledger';

export interface OneServiceOptions {
  /** Its log, its local files. */
  readonly dataDir: string;
  /** All of it: nothing else is set but its addresses and its data directory. */
  readonly environment: Environment;
  readonly onDeath?: (how: string) => void;
}

/** One service of dist/ by itself, not started yet, at one address for all its lives; what it talks to is the caller's. */
export async function oneService(service: ServiceName, { dataDir, environment, onDeath }: OneServiceOptions): Promise<ServiceProcess> {
  return ServiceProcess.of({
    service,
    replica: 1,
    environment: { PATH: process.env['PATH'], ...environment },
    codeDir: join(repository(), 'dist'),
    dataDir,
    logDir: dataDir,
    ledger: await openLedger(dataDir),
    onDeath: (_, how) => onDeath?.(how),
  });
}

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cacheDir, type Progress } from './install/cache';
import { startKafka, type KafkaAddress } from './parts/kafka';
import { startKms, type KmsAddress } from './parts/kms';
import type { Environment, PartContext, Running } from './parts/part';
import { startPostgresPart, type PostgresAddress } from './parts/postgres';
import { startRedis, type RedisAddress } from './parts/redis';
import { assertToolsFor } from './parts/tools';
import { LEDGER_FILE, openLedger, type Ledger } from './process/ledger';

interface Addresses {
  readonly postgres: PostgresAddress;
  readonly kafka: KafkaAddress;
  readonly redis: RedisAddress;
  readonly kms: KmsAddress;
}

export type PartName = keyof Addresses;
export const PARTS: readonly PartName[] = ['postgres', 'kafka', 'redis', 'kms'];

export type Parts<P extends PartName = PartName> = { readonly [K in P]: Running<Addresses[K]> } & {
  /** Where children of the same launcher are written down. */
  readonly ledger: Ledger;
  stop(): Promise<void>;
};

export interface PartsOptions<P extends PartName> {
  readonly only?: readonly P[];
  readonly dataDir: string;
  /** `WEIR_POSTGRES_ADMIN_URL`, `WEIR_KAFKA_BROKERS`, `WEIR_REDIS_URL`, `AWS_ENDPOINT_URL` name servers that are there already; `WEIR_STACK_CACHE`. */
  readonly environment: Environment;
  /** false, for tests: nothing is flushed to the disk, and the data directory is empty before and after. */
  readonly durable?: boolean;
  readonly progress?: Progress;
}

const STARTS: { readonly [K in PartName]: (context: PartContext) => Promise<Running<Addresses[K]>> } = {
  postgres: startPostgresPart,
  kafka: startKafka,
  redis: startRedis,
  kms: startKms,
};

/**
 * Starts the servers that a full run needs, all at once, as children of this process; what a killed launcher left on the data
 * directory is stopped first. When one cannot start, the others are stopped.
 *
 * @throws AppError `tools-missing`, `install-failed`, `start-failed`, `data-directory-in-use`, each one line for people
 */
export async function startParts<P extends PartName = PartName>(options: PartsOptions<P>): Promise<Parts<P>> {
  const { environment, durable = true, progress = () => undefined } = options;
  const names = options.only ?? (PARTS as readonly P[]);
  const dataDir = resolve(options.dataDir);
  assertToolsFor(names, cacheDir(environment), environment);
  const ledger = await openLedger(dataDir);
  if (!durable) await empty(dataDir);
  if (ledger.cleared.length > 0) progress(`stopped what an earlier run left: ${ledger.cleared.join(', ')}`);

  const context: PartContext = { dataDir, cache: cacheDir(environment), environment, durable, ledger, progress };
  const started = await Promise.allSettled(names.map((name) => timed(name, context)));
  const running = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async () => {
    await Promise.all(running.map(([, part]) => part.stop()));
    if (!durable) await empty(dataDir);
    ledger.close();
  };
  const failure = started.find((result) => result.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  return { ...Object.fromEntries(running), ledger, stop } as Parts<P>;
}

/** PostgreSQL keeps a ledger of its own, which goes with its directory: what stands there is stopped first. */
async function empty(dataDir: string): Promise<void> {
  if (existsSync(join(dataDir, 'postgres'))) (await openLedger(join(dataDir, 'postgres'))).close();
  for (const entry of readdirSync(dataDir)) {
    if (!entry.startsWith(LEDGER_FILE)) rmSync(join(dataDir, entry), { recursive: true, force: true });
  }
}

async function timed(name: PartName, context: PartContext): Promise<[PartName, Running<object>]> {
  const begun = Date.now();
  const part = await STARTS[name](context);
  context.progress(part.pid === undefined ? `${name} given by the environment` : `${name} ready in ${((Date.now() - begun) / 1_000).toFixed(1)} s`);
  return [name, part];
}

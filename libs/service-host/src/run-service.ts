import { AppError, WEIR_VERSION } from '@weir/kernel';
import { commonSettings, type CommonConfig } from './config';
import { startHost, type Host } from './host';
import { createLogger, createProcess, createRuntime, openBus, openPool } from './runtime';
import type { ServiceDefinition } from './service';
import { describeSettings, parseSettings, type Environment, type Settings } from './settings';

/** One service as a process of its own: what each main.ts calls. */
export async function runService<C>(definition: ServiceDefinition<C>, environment: Environment, argv: readonly string[]): Promise<void> {
  const settings = { ...commonSettings, ...definition.settings } as Settings<CommonConfig & C>;
  await runMain(argv, `${definition.name}: ${definition.title}\n\n${describeSettings(settings)}`, async (check) => {
    const config = parseSettings(settings, environment);
    if (check) return undefined;
    const host = await startService(definition, config);
    return host.stop;
  });
}

/** Connects, reads the state topics, listens; `stop` of what it answers undoes it all. */
export async function startService<C>(definition: ServiceDefinition<C>, config: CommonConfig & C): Promise<Host> {
  const log = createLogger(config, definition.name);
  const pool = await openPool({ name: definition.name, common: config, log });
  const bus = openBus(config, definition.name, pool, log);
  await bus.ping().catch((error: unknown) => {
    throw new AppError('bus-unavailable', 'unavailable', `the bus cannot be reached: ${(error as Error).message}`, { cause: error });
  });
  const process = createProcess({ config, log, bus });
  const runtime = createRuntime(process, definition.name, config, pool);
  const parts = await definition.create(runtime, config);
  const host = await startHost({
    title: `Weir ${definition.name}`,
    version: WEIR_VERSION,
    host: config.host,
    port: config.port,
    managementPort: config.managementPort,
    process,
    services: [{ runtime, parts }],
  });
  log.info({ url: host.url, managementUrl: host.managementUrl, roles: config.roles }, 'ready');
  return host;
}

/**
 * `--help`, `--check-config`, signals, and one line and an exit code for what goes wrong: 2 for usage, 1 for everything else.
 *
 * @param start answers how to stop, or undefined when there is nothing to run
 */
export async function runMain(argv: readonly string[], help: string, start: (checkOnly: boolean) => Promise<(() => Promise<void>) | undefined>): Promise<void> {
  const unknown = argv.find((arg) => !['--help', '-h', '--check-config'].includes(arg));
  if (unknown !== undefined) return fail(`unknown argument ${unknown}; --help lists the settings`, 2);
  if (argv.includes('--help') || argv.includes('-h')) return void process.stdout.write(`${help}\n`);

  const begun: { stop?: () => Promise<void> } = {};
  stopOnSignal(begun);
  try {
    const checkOnly = argv.includes('--check-config');
    const stop = await start(checkOnly);
    if (checkOnly) process.stdout.write('the configuration is valid\n');
    if (stop !== undefined) begun.stop = stop;
  } catch (error) {
    fail(error instanceof AppError ? error.message : `${(error as Error).stack ?? String(error)}`, 1);
  }
}

function stopOnSignal(begun: { readonly stop?: () => Promise<void> }): void {
  let stopping = false;
  const onSignal = () => {
    if (stopping) return;
    // while things are starting nothing is worth waiting for; by `exit` and not by the signal, so that children are told to end
    if (begun.stop === undefined) process.exit(1);
    stopping = true;
    // whatever hangs, the process ends within the grace that an orchestrator gives
    setTimeout(() => process.exit(1), 25_000).unref();
    begun.stop().then(
      () => process.exit(0),
      (error: Error) => fail(`stopping failed: ${error.message}`, 1),
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

function fail(message: string, code: number): void {
  process.stderr.write(`weir: ${message}\n`);
  process.exit(code);
}

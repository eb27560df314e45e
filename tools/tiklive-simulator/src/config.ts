import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { SimulatorOptions } from './simulator';

/** The environment, then the flags, which win. `flag` is the name of both: `--latency-p50-ms`, `WEIR_SIMULATOR_LATENCY_P50_MS`. */
const SETTINGS = {
  port: { help: 'Port; 0 takes any free one', fallback: '8090' },
  host: { help: 'Address to listen on; the admin API has no authentication', fallback: '127.0.0.1' },
  'latency-p50-ms': { help: 'Median latency in milliseconds; 0: answer at once', fallback: '750' },
  'latency-sigma': { help: 'Spread of the latency (sigma of a lognormal distribution)', fallback: '0.35' },
  'state-file': { help: 'File that keeps keys, balances and the ledger; without it nothing is kept', fallback: '' },
  'ledger-limit': { help: 'Entries that the ledger lists at most', fallback: '1000000' },
} as const;
type Flag = keyof typeof SETTINGS;
const FLAGS = Object.keys(SETTINGS) as Flag[];

const schema = z.object({
  port: z.coerce.number().int().min(0).max(65_535),
  host: z.string().min(1),
  'latency-p50-ms': z.coerce.number().min(0).max(60_000),
  'latency-sigma': z.coerce.number().min(0).max(3),
  'state-file': z.string(),
  'ledger-limit': z.coerce.number().int().min(1),
});

const variable = (flag: Flag): string => `WEIR_SIMULATOR_${flag.toUpperCase().replaceAll('-', '_')}`;

export const HELP = [
  'tiklive-simulator: behaves as TikLiveAPI does, with a ledger to read and faults to order',
  '',
  ...FLAGS.map((flag) => `  --${flag.padEnd(16)} ${variable(flag).padEnd(32)} ${SETTINGS[flag].help} [${SETTINGS[flag].fallback || 'none'}]`),
  '',
  'Calls need X-Api-Key: sim_test_key is built in, others are made with POST /_simulator/keys.',
].join('\n');

/** @returns the options, `help`, or what is wrong with what was given */
export function readConfig(argv: readonly string[], environment: NodeJS.ProcessEnv): SimulatorOptions | 'help' | { readonly problem: string } {
  const options = { help: { type: 'boolean', short: 'h' }, ...Object.fromEntries(FLAGS.map((flag) => [flag, { type: 'string' }])) } as const;
  let given: Record<string, unknown>;
  try {
    given = parseArgs({ args: [...argv], options, allowPositionals: false }).values;
  } catch (error) {
    return { problem: (error as Error).message };
  }
  if (given.help === true) return 'help';

  const raw = Object.fromEntries(FLAGS.map((flag) => [flag, given[flag] ?? (environment[variable(flag)] || SETTINGS[flag].fallback)]));
  const parsed = schema.safeParse(raw);
  if (!parsed.success) return { problem: parsed.error.issues.map((issue) => `--${issue.path.join('.')}: ${issue.message}`).join('; ') };
  const { port, host, 'state-file': stateFile } = parsed.data;
  return {
    port,
    host,
    latencyP50Ms: parsed.data['latency-p50-ms'],
    latencySigma: parsed.data['latency-sigma'],
    ledgerLimit: parsed.data['ledger-limit'],
    ...(stateFile === '' ? {} : { stateFile }),
  };
}

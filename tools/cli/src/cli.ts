import yargs from 'yargs';
import { budgets } from './commands/budgets';
import { calls } from './commands/calls';
import { events } from './commands/events';
import { invoices } from './commands/invoices';
import { jobs } from './commands/jobs';
import { keyRotations } from './commands/key-rotations';
import { keys } from './commands/keys';
import { limits } from './commands/limits';
import { login } from './commands/login';
import { migrations } from './commands/migrations';
import { parked } from './commands/parked';
import { relay } from './commands/relay';
import { schedules } from './commands/schedules';
import { snapshots } from './commands/snapshots';
import { subjects } from './commands/subjects';
import { reconciliations } from './commands/reconciliations';
import { tenants } from './commands/tenants';
import { topics } from './commands/topics';
import { tokens } from './commands/tokens';
import { usage } from './commands/usage';
import { verify } from './commands/verify';
import { webhooks } from './commands/webhooks';
import { actor, type Cli } from './context';
import { BadNews, EXIT, Refused, Unreachable, UsageError } from './failures';
import { Interrupted, type Io } from './io';

const EPILOGUE = `Exit codes: 0 done · 1 the API refused, or what it says is bad news · 2 usage · 3 cannot reach the API.
WEIR_URL, WEIR_TOKEN and WEIR_TENANT win over what \`weir login\` has stored.`;

/** One run of `weir`; answers its exit code. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  try {
    let said = '';
    // with a callback yargs hands its help and completions over instead of printing them
    await parser(io).parseAsync([...argv], {}, (_error, _argv, output) => void (said = output));
    if (said !== '') io.stdout.write(`${said}\n`);
    return EXIT.ok;
  } catch (error) {
    return explain(error, io, argv.includes('--json'));
  }
}

function parser(io: Io): Cli {
  const act = actor(io);
  const cli = yargs()
    .scriptName('weir')
    .usage('$0 <command>\n\nMany tenants, one metered API. A client of the HTTP API alone.')
    .option('json', { type: 'boolean', default: false, describe: "The API's own JSON instead of tables", global: true })
    .option('url', { type: 'string', describe: 'Address of the API', global: true });
  for (const commands of [tenants, tokens, keys, keyRotations, limits, jobs, schedules, snapshots, subjects, usage, calls, reconciliations, invoices, budgets, webhooks, events, parked, topics, relay, migrations]) commands(cli, act);
  return login(verify(cli, io), io)
    .completion('completion', 'Print a completion script: weir completion >> ~/.bashrc')
    .example('$0 login --from .weir/standalone.json', 'after `npm start`')
    .example('$0 tenants create acme --plan pro --wait', '')
    .example('$0 usage -t acme --group-by day,endpoint', '')
    .demandCommand(1, 'what shall it do?')
    .strict()
    .recommendCommands()
    .detectLocale(false)
    .exitProcess(false)
    .fail((message, error) => {
      throw (error as Error | undefined) === undefined || error.name === 'YError' ? new UsageError(`${message} (--help shows how)`) : error;
    })
    .version(false)
    .help('help', 'Show help')
    .alias('help', 'h')
    .epilogue(EPILOGUE)
    .wrap(Math.min(120, io.stdout.columns ?? 100));
}

function explain(error: unknown, io: Io, json: boolean): number {
  const say = (text: string): void => void io.stderr.write(`${text}\n`);
  if (error instanceof Refused) {
    const { code, detail, requestId } = error.problem;
    say(json ? JSON.stringify(error.problem, null, 2) : `weir: ${code}: ${detail}${requestId === undefined ? '' : ` (${requestId})`}`);
    return EXIT.refused;
  }
  if (error instanceof Interrupted) return EXIT.interrupted;
  say(`weir: ${(error as Error).message}`);
  if (error instanceof BadNews) return EXIT.refused;
  if (error instanceof Unreachable) return EXIT.unreachable;
  if (error instanceof UsageError) return EXIT.usage;
  // a fault of ours: what a report needs
  say((error as Error).stack ?? '');
  return EXIT.refused;
}

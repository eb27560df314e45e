import { AppError } from '@weir/kernel';
import { HELP, readOptions, type StackOptions } from './options';
import { startOnly, startStack, type Stack } from './stack';

const begun = Date.now();
const progress = (line: string) => void process.stdout.write(`${((Date.now() - begun) / 1_000).toFixed(1).padStart(5)} s  ${line}\n`);

async function run(options: StackOptions): Promise<() => Promise<void>> {
  if (options.only !== undefined) {
    const parts = await startOnly(options, process.env, progress);
    process.stdout.write(`ready ${options.only.join(', ')}; addresses are in ${options.dataDir}/stack.json\n`);
    return parts.stop;
  }
  const stack = await startStack(options, process.env, progress);
  process.on('SIGHUP', () => void stack.startAgain().catch((error: Error) => progress(error.message)));
  process.stdout.write(welcome(stack, options.dataDir));
  return stack.stop;
}

function welcome({ file, madeOperatorToken }: Stack, dataDir: string): string {
  const [tenant] = file.tenants;
  const call = tenant === undefined ? [] : ['', `  curl -i -H 'Authorization: Bearer ${tenant.token}' '${file.url}/tiklive/userinfo-by-username/?username=tiktok'`, ''];
  return [
    `ready ${file.url}`,
    ...call,
    ...(madeOperatorToken ? [`operator token (kept in stack.json, shown once): ${file.operatorToken}`] : []),
    `Addresses, pids and tokens are in ${dataDir}/stack.json, logs in ${dataDir}/stack/logs. Ctrl-C stops all of it.`,
    `A service that ends stays down; kill -HUP ${process.pid} starts those that are down.`,
    '',
  ].join('\n');
}

function fail(message: string, code: number): never {
  process.stderr.write(`weir: ${message}\n`);
  process.exit(code);
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === 'help') return void process.stdout.write(`${HELP}\n`);
  if ('problem' in options) fail(`${options.problem}; --help lists the options`, 2);

  let stop: (() => Promise<void>) | undefined;
  const onSignal = () => {
    // while things are starting nothing is worth waiting for: the children are told to end as this process does
    if (stop === undefined) process.exit(1);
    const ending = stop;
    stop = () => new Promise(() => undefined);
    progress('stopping');
    ending().then(
      () => process.exit(0),
      (error: Error) => fail(`stopping failed: ${error.message}`, 1),
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // children do not keep this process alive, and the parts alone leave it nothing else to do
  setInterval(() => undefined, 1 << 30);
  stop = await run(options);
}

main().catch((error: Error) => fail(error instanceof AppError ? error.message : (error.stack ?? String(error)), 1));

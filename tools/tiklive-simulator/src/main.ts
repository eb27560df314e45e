import { HELP, readConfig } from './config';
import { startSimulator } from './simulator';

const fail = (message: string, code: number): never => {
  process.stderr.write(`tiklive-simulator: ${message}\n`);
  process.exit(code);
};

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env);
  if (config === 'help') return void process.stdout.write(`${HELP}\n`);
  if ('problem' in config) return fail(`${config.problem}; --help lists the settings`, 2);

  const simulator = await startSimulator(config);
  process.stdout.write(`ready ${simulator.url}\n`);
  const stop = () => void simulator.close().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: NodeJS.ErrnoException) =>
  fail(error.code === 'EADDRINUSE' ? 'the port is in use; --port 0 takes any free one' : error.message, 1),
);

import { AppError } from '@weir/kernel';
import { startTestServers, type TestServers } from './servers';

declare global {
  var weirTestServers: TestServers | undefined;
}

/** Once a run, before the workers start: they inherit the addresses. */
export default async function globalSetup(): Promise<void> {
  // Jest calls no teardown when it is interrupted; on its way out this process tells its children to end
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    globalThis.weirTestServers = await startTestServers(process.env, (line) => process.stderr.write(`servers: ${line}\n`));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`weir: ${error.message}\n`);
    process.exit(1);
  }
  Object.assign(process.env, globalThis.weirTestServers.addresses);
}

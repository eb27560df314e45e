import { createServer } from 'node:net';
import { AppError } from '@weir/kernel';

/**
 * Sees that an address can be listened on, before anything is started for its sake.
 *
 * @param variable the setting that the port came from
 * @throws AppError `port-in-use`, `port-refused`, `bad-configuration`
 */
export async function assertListenable(host: string, port: number, variable: string): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(port, host, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    throw listenTrouble(error, host, port, variable);
  });
  await new Promise((resolve) => probe.close(resolve));
}

/** What the system says when it lets nobody listen, as what to do about it. */
export function listenTrouble(error: NodeJS.ErrnoException, host: string, port: number, variable: string): Error {
  const { code } = error;
  if (code === 'EADDRINUSE') return new AppError('port-in-use', 'invalid', `port ${port} is in use: set ${variable} to another, or to 0 for any`);
  if (code === 'EACCES') return new AppError('port-refused', 'invalid', `this user may not listen on port ${port}: set ${variable} to another`);
  if (code === 'EADDRNOTAVAIL' || error.syscall === 'getaddrinfo') {
    return new AppError('bad-configuration', 'invalid', `bad configuration: WEIR_HOST: ${host} is no address of this machine`);
  }
  return error;
}

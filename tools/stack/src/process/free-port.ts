import { createServer, type AddressInfo } from 'node:net';

/** A port nobody listens on now: `wished` when it is free, else any; the caller binds it soon. */
export async function freePort(wished = 0): Promise<number> {
  const port = await bindable(wished);
  return port ?? ((await bindable(0)) as number);
}

export const isFree = async (port: number): Promise<boolean> => (await bindable(port)) !== undefined;

function bindable(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const { port: bound } = server.address() as AddressInfo;
      server.close(() => resolve(bound));
    });
  });
}

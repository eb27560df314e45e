import type { Pool, PoolClient } from 'pg';

/** A pool whose process dies in front of its nth statement, counted over all of its sessions: the server sees the session end, as after kill -9. */
export function mortal(pool: Pool, diesAt: number): { pool: Pool; died: () => boolean } {
  let statements = 0;
  let dead = false;
  const guard = async (): Promise<void> => {
    dead ||= ++statements >= diesAt;
    if (dead) throw new Error('killed');
  };
  const mortalClient = (client: PoolClient): PoolClient =>
    new Proxy(client, {
      get(target, name) {
        if (name === 'query') {
          return async (...args: unknown[]) => {
            await guard();
            return (target.query as (...given: unknown[]) => unknown)(...args);
          };
        }
        // whatever was open is rolled back by the server, and not by the dead
        if (name === 'release') return (error?: Error) => target.release(dead ? true : error);
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  const mortalPool = new Proxy(pool, {
    get(target, name) {
      if (name === 'connect') return async () => mortalClient(await target.connect());
      if (name === 'query') {
        return async (...args: unknown[]) => {
          await guard();
          return (target.query as (...given: unknown[]) => unknown)(...args);
        };
      }
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { pool: mortalPool, died: () => dead };
}

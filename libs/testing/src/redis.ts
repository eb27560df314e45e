import { randomInt } from 'node:crypto';
import { Redis } from 'ioredis';
import { servers } from './servers';

/** An empty Redis database of a spec's own. */
export interface TestRedis {
  readonly url: string;
  /** Empties it and gives it back. */
  close(): Promise<void>;
}

const CLAIM_S = 900;

/** Claims one of the server's databases; database 0 holds the claims. */
export async function freshRedis(): Promise<TestRedis> {
  const { redisUrl } = servers();
  const claims = new Redis(redisUrl);
  const databases = Number(((await claims.config('GET', 'databases')) as string[])[1]);
  for (let at = randomInt(1, databases), tries = 1; tries < databases; at = (at % (databases - 1)) + 1, tries++) {
    const claim = `test-database:${at}`;
    if ((await claims.set(claim, process.pid, 'EX', CLAIM_S, 'NX')) === null) continue;
    const own = new Redis(redisUrl, { db: at });
    await own.flushdb();
    return {
      url: new URL(`/${at}`, redisUrl).href,
      close: async () => {
        await own.flushdb();
        await claims.del(claim);
        await Promise.all([own.quit(), claims.quit()]);
      },
    };
  }
  await claims.quit();
  throw new Error(`all ${databases} databases of the test Redis are taken`);
}

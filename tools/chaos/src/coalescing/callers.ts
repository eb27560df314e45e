import { Pool } from 'undici';

/** How a caller's call ended; status 0: nobody answered. */
export interface Answered {
  readonly status: number;
  readonly cache: string;
  readonly credits: number;
  readonly body: string;
  /** ms since its crowd began. */
  readonly atMs: number;
}

export interface Crowd {
  /** Resolves when every caller has sent its request. */
  readonly sent: Promise<void>;
  readonly answers: Promise<Answered[]>;
}

/** New connections at once: a server's queue of them is not what is tried here. */
const WAVE = 250;
const WAVE_MS = 20;
const LONGEST_MS = 180_000;

/**
 * So many callers of one thing, each on a connection of its own, dealt out to the processes in turn.
 *
 * @param tokenOf of caller n
 */
export function crowd(urls: readonly string[], path: string, callers: number, tokenOf: (n: number) => string): Crowd {
  const begun = performance.now();
  const pools = urls.map((url) => new Pool(url, { connections: Math.ceil(callers / urls.length), pipelining: 1, headersTimeout: LONGEST_MS, bodyTimeout: LONGEST_MS }));
  let heard: () => void = () => undefined;
  const sent = new Promise<void>((resolve) => (heard = resolve));
  const answers = (async () => {
    const calls: Promise<Answered>[] = [];
    for (let n = 0; n < callers; n++) {
      if (n > 0 && n % WAVE === 0) await new Promise((resolve) => setTimeout(resolve, WAVE_MS));
      calls.push(call(pools[n % pools.length] as Pool, path, tokenOf(n), begun));
    }
    heard();
    const all = await Promise.all(calls);
    await Promise.all(pools.map((pool) => pool.destroy()));
    return all;
  })();
  return { sent, answers };
}

async function call(pool: Pool, path: string, token: string, begun: number): Promise<Answered> {
  try {
    const { statusCode: status, headers, body } = await pool.request({ method: 'GET', path, headers: { authorization: `Bearer ${token}` } });
    return { status, cache: String(headers['weir-cache'] ?? ''), credits: Number(headers['weir-credits'] ?? 0), body: await body.text(), atMs: performance.now() - begun };
  } catch (error) {
    return { status: 0, cache: '', credits: 0, body: (error as Error).message, atMs: performance.now() - begun };
  }
}

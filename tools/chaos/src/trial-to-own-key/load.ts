import { performance } from 'node:perf_hooks';
import { Pool } from 'undici';

/** One call as its caller saw it. */
export interface Called {
  readonly requestId: string;
  readonly status: number;
  /** `platform`, `own`, or nothing where no key was used. */
  readonly key: string;
  readonly begunAt: number;
  readonly endedAt: number;
  readonly body: string;
}

const TICK_MS = 10;
const CONNECTIONS = 256;

/** Calls at a steady rate, whatever becomes of them: who waits for answers sends fewer. */
export class Load {
  private readonly pool: Pool;
  private readonly calls: Promise<Called>[] = [];
  private readonly timer: NodeJS.Timeout;
  private readonly begunAt = performance.now();
  private asked = 0;
  private lastAt = this.begunAt;

  /** @param path of call n, each another, so that each goes upstream */
  constructor(
    url: string,
    private readonly token: string,
    private readonly perSecond: number,
    private readonly path: (n: number) => string,
  ) {
    this.pool = new Pool(url, { connections: CONNECTIONS, headersTimeout: 60_000, bodyTimeout: 60_000 });
    this.timer = setInterval(() => this.catchUp(), TICK_MS);
  }

  get sent(): number {
    return this.asked;
  }

  /** Calls a second that were begun, from the first to the last. */
  get rate(): number {
    return this.asked / ((this.lastAt - this.begunAt) / 1_000);
  }

  /** No more calls; all answers. */
  async end(): Promise<Called[]> {
    clearInterval(this.timer);
    const called = await Promise.all(this.calls);
    await this.pool.close();
    return called;
  }

  private catchUp(): void {
    const due = Math.floor(((performance.now() - this.begunAt) / 1_000) * this.perSecond);
    for (; this.asked < due; this.asked++) this.calls.push(this.call(this.asked));
    this.lastAt = performance.now();
  }

  private async call(n: number): Promise<Called> {
    const begunAt = performance.now();
    const text = (value: string | string[] | undefined): string => (Array.isArray(value) ? (value[0] ?? '') : (value ?? ''));
    try {
      const { statusCode: status, headers, body } = await this.pool.request({ method: 'GET', path: this.path(n), headers: { authorization: `Bearer ${this.token}` } });
      const said = await body.text();
      return { requestId: text(headers['weir-request-id']), status, key: text(headers['weir-key']), begunAt, endedAt: performance.now(), body: status === 200 ? '' : said };
    } catch (error) {
      return { requestId: '', status: 0, key: '', begunAt, endedAt: performance.now(), body: (error as Error).message };
    }
  }
}

import { Pool } from 'undici';

/** What became of one tenant's calls. */
export interface Tally {
  /** Admitted, and answered. */
  admitted: number;
  /** By `limitedBy`. */
  readonly refused: Map<string, number>;
  /** Anything else: no answer, or a fault. */
  readonly broken: string[];
  /** When each was admitted, ms of the monotonic clock. */
  readonly admittedAt: number[];
  readonly tookMs: number[];
}

const TICK_MS = 20;

/** Calls of one tenant at a steady rate, at the fetchers in turn. */
export class TenantLoad {
  readonly tally: Tally = { admitted: 0, refused: new Map(), broken: [], admittedAt: [], tookMs: [] };
  private readonly pending = new Set<Promise<void>>();
  private readonly timer: NodeJS.Timeout;
  private readonly begunAt = performance.now();
  private asked = 0;

  constructor(
    private readonly pools: readonly Pool[],
    private readonly tenant: { readonly slug: string; readonly token: string },
    private readonly perSecond: number,
    /** Of call n; default: each for another person, so that each would go upstream. */
    private readonly pathOf = (n: number): string => `/tiklive/userid/?username=${tenant.slug.replaceAll('-', '_')}_${n}`,
  ) {
    this.timer = setInterval(() => this.catchUp(), TICK_MS);
  }

  async end(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.pending);
  }

  private catchUp(): void {
    const due = Math.floor(((performance.now() - this.begunAt) / 1_000) * this.perSecond);
    for (; this.asked < due; this.asked++) {
      const call: Promise<void> = this.call(this.asked).finally(() => this.pending.delete(call));
      this.pending.add(call);
    }
  }

  private async call(n: number): Promise<void> {
    const { tally, tenant, pools } = this;
    const from = performance.now();
    try {
      const path = this.pathOf(n);
      const { statusCode, body } = await (pools[n % pools.length] as Pool).request({ method: 'GET', path, headers: { authorization: `Bearer ${tenant.token}` } });
      const text = await body.text();
      tally.tookMs.push(performance.now() - from);
      if (statusCode === 200) {
        tally.admitted++;
        tally.admittedAt.push(from);
      } else if (statusCode === 429) {
        const { limitedBy = '?' } = JSON.parse(text) as { limitedBy?: string };
        tally.refused.set(limitedBy, (tally.refused.get(limitedBy) ?? 0) + 1);
      } else tally.broken.push(`${statusCode} ${text.slice(0, 200)}`);
    } catch (error) {
      tally.broken.push((error as Error).message);
    }
  }
}

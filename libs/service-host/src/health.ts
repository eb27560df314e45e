export interface CheckResult {
  readonly state: 'ok' | 'degraded' | 'failed';
  readonly detail?: string;
  /** ms since what the check looks at was last confirmed. */
  readonly ageMs?: number;
}

export type Check = () => CheckResult | Promise<CheckResult>;

const TIMEOUT_MS = 2_000;

/** What /readyz says: each check with its state and age. Failed is 503; degraded is said and still 200. */
export class Health {
  private readonly checks = new Map<string, { check: Check; worst: CheckResult['state'] }>();
  /** Set while starting and stopping. */
  notReady: string | undefined = 'starting';

  /** @param options.worst what a failing check amounts to; degraded where the process still answers without it */
  add(name: string, check: Check, { worst = 'failed' }: { worst?: 'failed' | 'degraded' } = {}): void {
    this.checks.set(name, { check, worst });
  }

  /** The process answers without what that check looks at: its loss is said, and no reason to be taken out of the edge's sight. */
  tolerate(name: string): void {
    const known = this.checks.get(name);
    if (known !== undefined) this.checks.set(name, { ...known, worst: 'degraded' });
  }

  async report(): Promise<{ ready: boolean; checks: Record<string, CheckResult> }> {
    const entries = await Promise.all([...this.checks].map(async ([name, { check, worst }]) => [name, atWorst(worst, await run(check))] as const));
    const checks: Record<string, CheckResult> = Object.fromEntries(entries);
    if (this.notReady !== undefined) checks['process'] = { state: 'failed', detail: this.notReady };
    return { ready: Object.values(checks).every((check) => check.state !== 'failed'), checks };
  }
}

const atWorst = (worst: CheckResult['state'], result: CheckResult): CheckResult => (result.state === 'failed' ? { ...result, state: worst } : result);

async function run(check: Check): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<CheckResult>((resolve) => {
    timer = setTimeout(() => resolve({ state: 'failed', detail: `no answer within ${TIMEOUT_MS} ms` }), TIMEOUT_MS);
  });
  try {
    return await Promise.race([Promise.resolve().then(check), timeout]);
  } catch (error) {
    return { state: 'failed', detail: (error as Error).message };
  } finally {
    clearTimeout(timer);
  }
}

import { within } from '@weir/kernel';

/** Failures in a row after which nobody asks any more. Those of calls that waited together are one: a hiccup is no loss. */
const FAILURES = 3;
/** Answers in a row, in time, after which all do again. */
const ANSWERS = 2;
const PROBE_EVERY_MS = 100;

export interface BreakerOptions {
  /** Rejects, or resolves too late to be of use, while the store is away. */
  readonly probe: () => Promise<unknown>;
  readonly timeoutMs: number;
  /** @param away whether the breaker has just opened */
  readonly onChange: (away: boolean, cause: unknown) => void;
}

/** Whether the store is asked at all. Open, it is a probe in the background that finds out when the store is back, and no caller. */
export class Breaker {
  private failures = 0;
  private failedAt = -Infinity;
  private answers = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly options: BreakerOptions) {}

  get open(): boolean {
    return this.timer !== undefined;
  }

  answered(): void {
    this.failures = 0;
  }

  failed(cause: unknown): void {
    const now = performance.now();
    if (this.open || this.closed || now < this.failedAt + this.options.timeoutMs) return;
    this.failedAt = now;
    if (++this.failures < FAILURES) return;
    this.answers = 0;
    this.probeSoon();
    this.options.onChange(true, cause);
  }

  stop(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private probeSoon(): void {
    this.timer = setTimeout(() => void this.probe(), PROBE_EVERY_MS).unref();
  }

  private async probe(): Promise<void> {
    const inTime = await within(this.options.timeoutMs, this.options.probe()).then(
      () => true,
      () => false,
    );
    if (this.closed) return;
    this.answers = inTime ? this.answers + 1 : 0;
    if (this.answers < ANSWERS) return this.probeSoon();
    this.timer = undefined;
    this.failures = 0;
    this.options.onChange(false, undefined);
  }
}

/** Milliseconds on a clock that is never set back. */
export type MonotonicMs = () => number;

/** `burst` calls at once, then `perMinute`. */
export class TokenBucket {
  private tokens: number;
  private at: number;

  constructor(
    private readonly perMinute: number,
    private readonly burst: number,
    private readonly now: MonotonicMs,
  ) {
    this.tokens = burst;
    this.at = now();
  }

  /** 0 when the call may go, otherwise the milliseconds until one may. */
  take(): number {
    const now = this.now();
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.at) * this.perMinute) / 60_000);
    this.at = now;
    if (this.tokens >= 1) {
      this.tokens -= 1;
      return 0;
    }
    return ((1 - this.tokens) * 60_000) / this.perMinute;
  }
}

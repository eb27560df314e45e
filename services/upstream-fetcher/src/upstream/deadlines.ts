/** Something that waits, until it is ended. */
export interface Deadline<T> {
  /** Undefined: it waits no longer. */
  value: T | undefined;
  readonly at: number;
}

/**
 * One timer for all that may wait equally long, of which who began first is late first. A timer each would cost a call more than some of its
 * checks. It keeps the process alive while anybody waits.
 */
export class Deadlines<T> {
  private waiting: Deadline<T>[] = [];
  private first = 0;
  private open = 0;
  private timer: NodeJS.Timeout | undefined;

  /** @param late is told of whoever still waits `afterMs` after it began */
  constructor(
    private readonly afterMs: number,
    private readonly late: (value: T) => void,
  ) {}

  begin(value: T): Deadline<T> {
    const deadline = { value, at: performance.now() + this.afterMs };
    this.waiting.push(deadline);
    this.open++;
    this.timer ??= setTimeout(this.look, this.afterMs);
    return deadline;
  }

  /** Ended or late, nothing more comes of it. */
  end(deadline: Deadline<T>): void {
    if (deadline.value === undefined) return;
    deadline.value = undefined;
    if (--this.open === 0) this.stop();
    else this.forget();
  }

  private readonly look = (): void => {
    this.timer = undefined;
    const now = performance.now();
    for (let next = this.waiting[this.first]; next !== undefined && next.at <= now; next = this.waiting[this.first]) {
      this.first++;
      const { value } = next;
      if (value === undefined) continue;
      next.value = undefined;
      this.open--;
      this.late(value);
    }
    this.forget();
    const next = this.waiting[this.first];
    if (next === undefined) this.stop();
    else {
      // whoever began while another was told it is late has set one that comes after this
      clearTimeout(this.timer);
      this.timer = setTimeout(this.look, Math.max(1, next.at - now));
    }
  };

  /** Those at the front who wait no longer; the list is cut when half of it is of them. */
  private forget(): void {
    while (this.first < this.waiting.length && this.waiting[this.first]?.value === undefined) this.first++;
    if (this.first < 32 || this.first * 2 < this.waiting.length) return;
    this.waiting = this.waiting.slice(this.first);
    this.first = 0;
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting = [];
    this.first = 0;
  }
}

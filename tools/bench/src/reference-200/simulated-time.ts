interface Timer {
  readonly id: number;
  at: number;
  readonly run: () => void;
  readonly everyMs: number | undefined;
}

type Real = Pick<typeof globalThis, 'setTimeout' | 'clearTimeout' | 'setInterval' | 'clearInterval'> & { readonly now: () => number };

/**
 * Time that goes from one timer to the next. While it is in force it is what `Date.now`, `setTimeout` and `setInterval` know of time, so
 * that code which waits a minute has waited one; a turn of the real event loop between two instants lets everything run that follows.
 */
export class SimulatedTime {
  private readonly heap: Timer[] = [];
  private readonly gone = new Set<number>();
  private ids = 0;
  private real: Real | undefined;

  constructor(private at: number) {}

  readonly clock = (): number => this.at;

  install(): void {
    const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
    this.real = { setTimeout, clearTimeout, setInterval, clearInterval, now: Date.now };
    const set = (everyMs: (ms: number) => number | undefined) =>
      ((run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
        const wait = Math.max(1, Math.ceil(Number(ms) || 0));
        const timer: Timer = { id: ++this.ids, at: this.at + wait, run: () => run(...args), everyMs: everyMs(wait) };
        this.push(timer);
        return handleOf(timer);
      }) as unknown as typeof setTimeout;
    const clear = ((handle: { simulated?: Timer } | undefined) => {
      if (handle?.simulated !== undefined) this.gone.add(handle.simulated.id);
      else if (handle !== undefined) clearTimeout(handle as never);
    }) as typeof clearTimeout;
    Object.assign(globalThis, { setTimeout: set(() => undefined), setInterval: set((ms) => ms), clearTimeout: clear, clearInterval: clear });
    Date.now = this.clock;
  }

  uninstall(): void {
    if (this.real === undefined) return;
    const { now, ...timers } = this.real;
    Object.assign(globalThis, timers);
    Date.now = now;
  }

  /** Runs what is due until then, and stands there. */
  async runUntil(end: number): Promise<void> {
    await turn();
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.at > end) break;
      this.at = Math.max(this.at, next.at);
      while (this.heap[0] !== undefined && this.heap[0].at <= this.at) this.fire(this.pop());
      await turn();
    }
    this.at = end;
  }

  private fire(timer: Timer): void {
    if (this.gone.delete(timer.id)) return;
    timer.run();
    if (timer.everyMs === undefined) return;
    timer.at += timer.everyMs;
    this.push(timer);
  }

  private push(timer: Timer): void {
    const { heap } = this;
    let i = heap.push(timer) - 1;
    for (let up = (i - 1) >> 1; i > 0 && before(timer, heap[up] as Timer); i = up, up = (i - 1) >> 1) {
      heap[i] = heap[up] as Timer;
      heap[up] = timer;
    }
  }

  private pop(): Timer {
    const { heap } = this;
    const first = heap[0] as Timer;
    const last = heap.pop() as Timer;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Timer, heap[child] as Timer)) child++;
      if (!before(heap[child] as Timer, last)) break;
      heap[i] = heap[child] as Timer;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.id < b.id);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function handleOf(timer: Timer): object {
  const handle = { simulated: timer, ref: () => handle, unref: () => handle, hasRef: () => false, refresh: () => handle };
  return handle;
}

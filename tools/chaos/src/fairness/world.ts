/** Where clients live: the real one, or one whose time is made. */
export interface World {
  /** ms. */
  now(): number;
  /** By how much `after` may come too early. */
  readonly earlyMs: number;
  after(ms: number, happens: () => Promise<void>): void;
}

export interface ModelWorld extends World {
  /** Until its own time is `untilMs`; nothing waits for real time. */
  run(untilMs: number): Promise<void>;
}

/** Time passes from one event to the next. */
export function modelWorld(startMs: number): ModelWorld {
  let now = startMs;
  const queue = new Queue();
  return {
    now: () => now,
    earlyMs: 0,
    after: (ms, happens) => queue.add(now + Math.max(0, ms), happens),
    async run(untilMs) {
      for (let next = queue.first; next && next.at <= untilMs; next = queue.first) {
        queue.removeFirst();
        now = next.at;
        await next.happens();
      }
      now = untilMs;
    },
  };
}

export interface RealWorld extends World {
  /** Nothing happens any more; resolves when what was happening has ended. */
  stop(): Promise<void>;
}

export function realWorld(): RealWorld {
  const timers = new Set<NodeJS.Timeout>();
  const running = new Set<Promise<void>>();
  let stopped = false;
  return {
    now: () => performance.timeOrigin + performance.now(),
    // Node's timers
    earlyMs: 2,
    after(ms, happens) {
      if (stopped) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        const run = happens().finally(() => running.delete(run));
        running.add(run);
      }, ms);
      timers.add(timer);
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      await Promise.all(running);
    },
  };
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly happens: () => Promise<void>;
}

/** A binary heap; what was added first happens first at the same time. */
class Queue {
  private readonly events: Event[] = [];
  private added = 0;

  get first(): Event | undefined {
    return this.events[0];
  }

  add(at: number, happens: () => Promise<void>): void {
    let hole = this.events.length;
    const event = { at, order: this.added++, happens };
    this.events.push(event);
    for (let parent = (hole - 1) >> 1; hole > 0 && before(event, this.events[parent]); parent = (hole - 1) >> 1) {
      this.events[hole] = this.events[parent] as Event;
      hole = parent;
    }
    this.events[hole] = event;
  }

  removeFirst(): void {
    const last = this.events.pop();
    if (last === undefined || this.events.length === 0) return;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= this.events.length) break;
      if (before(this.events[child + 1], this.events[child])) child += 1;
      if (!before(this.events[child], last)) break;
      this.events[hole] = this.events[child] as Event;
      hole = child;
    }
    this.events[hole] = last;
  }
}

const before = (a: Event | undefined, b: Event | undefined): boolean =>
  a !== undefined && (b === undefined || a.at < b.at || (a.at === b.at && a.order < b.order));

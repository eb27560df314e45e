/** Step 4, the other half: identical calls in flight become one. Per process; leases.ts does it between processes. */
export interface Flights<T> {
  /** The flight of that name, which may end with an error. */
  join(name: string): Promise<T> | undefined;
  /**
   * Starts one; it goes on when whoever started it is gone.
   *
   * @param after with the answer known to all, but before the name is free again: nobody misses between flight and cache
   * @param over whatever came of it, just before the name is free
   */
  lead(name: string, fly: () => Promise<T>, after: (landed: T) => Promise<void> | undefined, over: () => void): Promise<T>;
  readonly size: number;
  /** Resolves when none is left. */
  landed(): Promise<void>;
}

export function createFlights<T>(): Flights<T> {
  const flying = new Map<string, Promise<T>>();
  return {
    join: (name) => flying.get(name),
    lead(name, fly, after, over) {
      const flight = fly();
      flying.set(name, flight);
      const free = () => {
        over();
        flying.delete(name);
      };
      flight.then((landed) => {
        const kept = after(landed);
        if (kept === undefined) free();
        else kept.then(free, free);
      }, free);
      return flight;
    },
    get size() {
      return flying.size;
    },
    async landed() {
      while (flying.size > 0) {
        await Promise.allSettled(flying.values());
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  };
}

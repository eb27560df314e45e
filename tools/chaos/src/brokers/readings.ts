import type { BusRecord } from '@weir/bus';

/** What one reader was given, held against what was acknowledged. A record may come twice, never late for the first time. */
export class Readings {
  /** By key: the next number that has not been seen. */
  private readonly next = new Map<string, number>();
  private readonly early: string[] = [];
  repeated = 0;

  readonly see = ({ key, value }: BusRecord): void => {
    const [number, next] = [Number(value), this.next.get(key) ?? 0];
    if (number < next) this.repeated++;
    else if (number === next) this.next.set(key, next + 1);
    else this.early.push(`${key}: ${number} before ${next}`);
  };

  has(acknowledged: ReadonlyMap<string, number>): boolean {
    return [...acknowledged].every(([key, count]) => (this.next.get(key) ?? 0) >= count);
  }

  missing(acknowledged: ReadonlyMap<string, number>): string[] {
    return [...acknowledged].filter(([key, count]) => (this.next.get(key) ?? 0) < count).map(([key, count]) => `${key}: ${this.next.get(key) ?? 0} of ${count}`);
  }

  /** Records that came before one that had not been seen yet. */
  get outOfOrder(): readonly string[] {
    return this.early;
  }
}

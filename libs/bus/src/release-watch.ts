import type { ParkingLot } from './port';

const EVERY_MS = 1_000;

/** Looks once a second for released records of all the groups that a process reads: one small question, however many they are. */
export class ReleaseWatch {
  private readonly readers = new Map<string, Set<(topic: string, partition: number) => void>>();
  private timer: NodeJS.Timeout | undefined;
  private asking: Promise<void> | undefined;

  constructor(
    private readonly parking: ParkingLot | undefined,
    private readonly onError: (error: Error) => void,
  ) {}

  /** @returns how to stop watching */
  watch(group: string, onReleased: (topic: string, partition: number) => void): () => void {
    const readers = this.readers.get(group) ?? new Set();
    this.readers.set(group, readers.add(onReleased));
    if (this.parking !== undefined) this.timer ??= setInterval(() => this.look(), EVERY_MS).unref();
    return () => {
      readers.delete(onReleased);
      if (readers.size === 0) this.readers.delete(group);
      if (this.readers.size === 0) this.timer = void clearInterval(this.timer);
    };
  }

  private look(): void {
    this.asking ??= this.ask()
      .catch(this.onError)
      .finally(() => (this.asking = undefined));
  }

  private async ask(): Promise<void> {
    const found = (await this.parking?.partitionsWithReleased([...this.readers.keys()])) ?? [];
    for (const { group, topic, partition } of found) {
      for (const tell of this.readers.get(group) ?? []) tell(topic, partition);
    }
  }
}

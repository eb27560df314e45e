import type { Bus, OutgoingRecord } from '@weir/bus';

/** A bus whose publishing a spec can hold up: records for which `holds` says so wait until `open` is called, and then go their way. */
export class GatedBus {
  holds: (records: readonly OutgoingRecord[]) => boolean = () => false;
  readonly published: OutgoingRecord[] = [];
  private gate = Promise.withResolvers<void>();
  private arrived = Promise.withResolvers<void>();
  readonly bus: Bus;

  constructor(inner: Bus) {
    this.bus = {
      ...inner,
      publish: async (records) => {
        if (this.holds(records)) {
          this.arrived.resolve();
          await this.gate.promise;
        }
        await inner.publish(records);
        this.published.push(...records);
      },
    };
  }

  /** Resolves when something is held up. */
  heldUp(): Promise<void> {
    return this.arrived.promise;
  }

  open(): void {
    this.gate.resolve();
  }
}

import type { TenantId } from '@weir/kernel';

/** How far a log and its states have been published. */
export interface Cursor {
  readonly position: number;
  readonly stateSeq: number;
}

/** Up to its cursor, only these topics are published once more; null: all. */
export interface Again extends Cursor {
  readonly topics: readonly string[] | null;
}

/** One tenant's log in the hands of one relay, for as long as it is renewed. */
export class Lease {
  /** Whether states were given to the bus under it. */
  saidStates = false;
  private lost = false;

  /**
   * @param mark of the news when the lease was taken
   * @param dbNow the database's clock at that moment, ms
   * @param receivedAt this process's own, monotonic, no earlier than it
   */
  constructor(
    readonly tenant: TenantId,
    readonly epoch: string,
    readonly mark: string,
    readonly cursor: Cursor,
    readonly again: Again,
    private readonly dbNow: number,
    private readonly receivedAt: number,
    private validUntil: number,
  ) {}

  /** Whether nobody else can hold it yet, by this process's own clock: a process that was stopped for a while sees that it was. */
  get held(): boolean {
    return !this.lost && performance.now() < this.validUntil;
  }

  renewed(until: number): void {
    this.validUntil = until;
  }

  lose(): void {
    this.lost = true;
  }

  /** The database's clock now, or a little before, ms. */
  clock(): number {
    return this.dbNow + performance.now() - this.receivedAt;
  }
}

export class LeaseLost extends Error {
  constructor(tenant: TenantId) {
    super(`the lease of ${tenant} has passed to another relay; its checkpoint stands`);
  }
}

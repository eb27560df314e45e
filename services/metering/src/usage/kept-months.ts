import { rfc3339, type Clock } from '@weir/kernel';
import { floorOf } from './event-time';

/** How long records of usage are kept. Sums, and what invoices say, are kept for ever. */
export class KeptMonths {
  constructor(
    private readonly clock: Clock,
    /** Whole months before this one. */
    private readonly months: number,
  ) {}

  /** The first day of the oldest month: records of before are gone, or go. */
  from(): string {
    return this.monthsAgo(this.months);
  }

  /** From then on every record is there that the sums were made of: one month later, since a record is counted no earlier than it is made. */
  wholeFrom(): string {
    return this.monthsAgo(this.months - 1);
  }

  /** The least event id that is counted: what came before could not be told from a record that was counted already. */
  leastId(): string {
    return floorOf(Date.parse(this.from()));
  }

  private monthsAgo(months: number): string {
    const now = new Date(this.clock());
    return rfc3339(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1)).slice(0, 10);
  }
}

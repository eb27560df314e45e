import type { Bus } from '@weir/bus';
import type { UnitOfWork } from '@weir/tenancy';
import type { Checkpoints } from './checkpoints';
import { LeaseLost, type Lease } from './lease';
import { readUnpublished } from './unpublished';

export interface TurnOptions {
  readonly work: UnitOfWork;
  readonly bus: Bus;
  readonly checkpoints: Checkpoints;
  readonly batch: number;
  readonly stopping: AbortSignal;
}

/** A long log gives way to the others after this many batches. */
const MOST_BATCHES = 20;

/**
 * One turn of one tenant: its events in order, and what its state topics shall say, batch by batch; the next batch is read while one
 * is being published. A batch counts as published once the checkpoint says so: after a crash it is published again, under the same ids.
 *
 * @returns whether the news that the lease was taken for is done with
 */
export async function takeTurn(lease: Lease, { work, bus, checkpoints, batch, stopping }: TurnOptions): Promise<boolean> {
  const read = (from: Lease['cursor']) => {
    // of this database: a tenant that has moved is another relay's
    const page = readUnpublished(work.direct, lease, from, batch);
    // heard where it is awaited; a turn that ends before that is told its own error
    page.catch(() => undefined);
    return page;
  };
  for (let page = await read(lease.cursor), batches = 1; ; batches++) {
    const ended = page.last || batches === MOST_BATCHES || stopping.aborted;
    const next = ended ? undefined : read(page.cursor);
    const drainedAt = page.last ? lease.clock() : undefined;
    if (!lease.held) throw new LeaseLost(lease.tenant);
    lease.saidStates ||= page.hasStates;
    if (page.records.length > 0) await bus.publish(page.records);
    await checkpoints.save({ lease, cursor: page.cursor, drainedAt, ended });
    if (next === undefined) return page.last;
    page = await next;
  }
}

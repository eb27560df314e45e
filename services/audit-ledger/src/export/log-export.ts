import { genesis, writeExport } from '@weir/audit-format';
import { AppError, WEIR_VERSION, invalid, rfc3339, type Clock, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { EventSearch } from '../events/event-search';
import { readEnds } from '../events/log-ends';
import type { Witness } from '../witness/witness';

/** A log as a file that can be verified without us: docs/audit-format.md. */
export class LogExport {
  constructor(
    private readonly work: UnitOfWork,
    private readonly events: EventSearch,
    private readonly witness: Witness,
    private readonly clock: Clock,
  ) {}

  /**
   * The text of the export of what a log holds now after a position; what is appended meanwhile is not in it.
   *
   * @throws AppError `invalid-request` when the log does not reach that position
   */
  async open(log: TenantId, after: number): Promise<AsyncGenerator<string>> {
    // before the log, which may have gone on since and must not have gone back
    const witnessed = await this.witness.furthest(log);
    const { head, last } = await readEnds(this.work, log);
    const previousHash = after === 0 ? genesis(log) : await this.chainHashAt(log, after, last);
    return writeExport(
      {
        tenantId: log,
        from: after + 1,
        previousHash,
        head,
        witnessed:
          witnessed === undefined
            ? null
            : { position: witnessed.position, chainHash: witnessed.chainHash ?? null, at: rfc3339(witnessed.at) },
        generatedAt: rfc3339(this.clock()),
        weirVersion: WEIR_VERSION,
      },
      this.events.all(log, { after, until: last }),
    );
  }

  private async chainHashAt(log: TenantId, position: number, last: number): Promise<string> {
    if (position > last) throw invalid(`The log ends at ${last}: there is nothing after ${position}.`);
    const [event] = await this.events.page(log, { after: position - 1, until: position }, 1);
    if (event === undefined)
      throw new AppError('log-with-a-gap', 'conflict', `The log lacks position ${position}: export all of it and verify it.`);
    return event.chainHash;
  }
}

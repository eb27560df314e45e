import { chainStart, firstDisagreement, firstFinding, follow, type ChainState, type Evidence, type Finding, type WitnessedHead } from '@weir/audit-format';
import type { EventLog } from '@weir/event-store';
import { PLATFORM, fact, rfc3339, type CommandContext, type TenantId } from '@weir/kernel';
import { sqlState, type UnitOfWork } from '@weir/tenancy';
import type { EventSearch } from '../events/event-search';
import { readEnds } from '../events/log-ends';
import type { Witness } from '../witness/witness';

/** What a verification found. */
export interface Verification {
  readonly result: 'intact' | 'broken';
  /** Events read. */
  readonly events: number;
  /** Of the last one. */
  readonly position: number;
  /** The chain hash there as computed from genesis, hex. */
  readonly head: string;
  /** The position at which the log is wrong first; null when it is intact. */
  readonly firstBreak: number | null;
  readonly because: Finding['what'] | null;
  /** How far the bus had seen the log; null when it never had. */
  readonly witnessed: { readonly position: number; readonly at: string } | null;
  /** Where the audit.verified event stands: in the log itself, or in the platform's when that one takes no more events. */
  readonly receipt: { readonly log: 'own' | 'platform'; readonly position: number };
}

const INTEGRITY_VIOLATION = /^23/;

export class VerificationService {
  constructor(
    private readonly work: UnitOfWork,
    private readonly log: EventLog,
    private readonly events: EventSearch,
    private readonly witness: Witness,
  ) {}

  async verify(tenant: TenantId, context: CommandContext): Promise<Verification> {
    // before the log, which may have gone on since and must not have gone back
    const witnessed = await this.witness.furthest(tenant);
    const evidence = await this.gather(tenant, witnessed);
    const finding = firstFinding(evidence);
    const { events, position, head } = evidence.chain;
    const found = {
      result: finding === undefined ? ('intact' as const) : ('broken' as const),
      events,
      position,
      head,
      firstBreak: finding?.position ?? null,
    };
    return {
      ...found,
      because: finding?.what ?? null,
      witnessed: witnessed === undefined ? null : { position: witnessed.position, at: rfc3339(witnessed.at) },
      receipt: await this.record(tenant, found, context),
    };
  }

  private async gather(tenant: TenantId, witnessed: WitnessedHead | undefined): Promise<Evidence> {
    const { head, last } = await readEnds(this.work, tenant);
    let chain: ChainState = chainStart(tenant);
    let disagreement: number | undefined;
    for await (const page of this.events.all(tenant, { after: 0, until: last })) {
      const [from, to] = [page[0]?.position, page.at(-1)?.position];
      if (from === undefined || to === undefined) break;
      chain = follow(chain, page);
      disagreement ??= firstDisagreement(page, await this.witness.between(tenant, from, to));
    }
    return { chain, head, witnessed, disagreement };
  }

  private async record(tenant: TenantId, data: object, context: CommandContext): Promise<Verification['receipt']> {
    const append = async (log: TenantId) => {
      const appended = await this.log.append({
        tenant: log,
        stream: `audit/${tenant}`,
        expected: 'any',
        events: [fact('audit.verified', data)],
        context,
      });
      if (appended.outcome === 'conflict') throw new Error('an append at any version met a conflict');
      return appended.last;
    };
    try {
      return { log: 'own', position: await append(tenant) };
    } catch (error) {
      // a log so damaged that its own keys refuse the next event; what was found must be on record all the same
      if (tenant === PLATFORM || !INTEGRITY_VIOLATION.test(sqlState(error) ?? '')) throw error;
      return { log: 'platform', position: await append(PLATFORM) };
    }
  }
}

import type { ReconciliationEvent, UsageOf } from '@weir/contracts';
import { fact, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { foundOf } from '../usage/entry';
import type { UsageLedger } from '../usage/ledger';
import { ofItself, putOnRecord } from '../usage/on-record';
import type { AttemptId } from '../usage/record-usage';
import { readHolds } from '../usage/unsettled';
import { findingOf, type Finding, type Line } from './compare';
import { linesOf, type Source } from './statements';

const BATCH = 500;

const UNDECIDED = `
  select tenant_id, request_id, attempt from open_holds
  where unsettled_at is not null and held_at < to_timestamp($1 / 1000.0) and ($2::float8 is null or held_at >= to_timestamp($2 / 1000.0)) and ($3 = '' or key_id = $3)
    and request_id > $4
  order by request_id limit ${BATCH}`;

/** Holds that nobody settled, decided on the record by what the upstream's account lists of them: it took the credits, or it took nothing. */
export class HoldDecisions {
  constructor(
    private readonly work: UnitOfWork,
    private readonly ledger: UsageLedger,
    private readonly onError: (error: Error, tenant: TenantId) => void,
  ) {}

  /** @param before ms: holds from before it have their line, if there is one */
  async decide(source: Source, before: number): Promise<Finding[]> {
    const found: Finding[] = [];
    for (let after = ''; ;) {
      const waiting = await this.work.inEveryControl((sql) =>
        sql.query<AttemptId & { tenant_id: TenantId }>(UNDECIDED, [before, source.coversFrom ?? null, source.keyId ?? '', after]),
      );
      const holds = waiting.flatMap(({ rows }) => rows);
      const lines = await this.work.inControl((sql) => linesOf(sql, source.source, holds));
      for (const [tenant, own] of Map.groupBy(holds, (row) => row.tenant_id)) {
        found.push(...(await this.decideOf(tenant, own, source, lines).catch((error: Error) => (this.onError(error, tenant), []))));
      }
      // of several databases those behind the least of their last ones may be left
      const full = waiting.flatMap(({ rows }) => (rows.length < BATCH ? [] : [rows.at(-1)?.request_id ?? '']));
      if (full.length === 0) return found;
      after = full.reduce((least, one) => (one < least ? one : least));
    }
  }

  private async decideOf(tenant: TenantId, attempts: readonly AttemptId[], source: Source, lines: ReadonlyMap<string, Line>): Promise<Finding[]> {
    const holds = await this.work.inTenant(tenant, (sql) => readHolds(sql, tenant, attempts, 'unsettled'));
    const decisions = holds.map((hold) => ({ hold, line: lines.get(`${hold.requestId}/${hold.attempt}`) }));
    if (decisions.length === 0) return [];
    await this.ledger.record(
      tenant,
      decisions.map(({ hold, line }) => foundOf(hold, line)),
      async (sql) => {
        for (const { hold, line } of decisions) {
          const context = ofItself('decide an unsettled hold', `usage.hold-decided/${hold.requestId}/${hold.attempt}`, hold.at);
          await putOnRecord(sql, tenant, decidedOf(hold, source.source, line), context);
        }
      },
    );
    return decisions.map(({ hold, line }) => findingOfHold(hold, line));
  }
}

const decidedOf = (hold: UsageOf<'held'>, source: string, line: Line | undefined): ReconciliationEvent =>
  fact('usage.hold-decided', {
    requestId: hold.requestId,
    attempt: hold.attempt,
    keyId: hold.keyId,
    decision: line === undefined ? ('not-taken' as const) : ('taken' as const),
    upstreamCredits: line?.credits ?? 0,
    source,
    line: line?.line ?? null,
    heldAt: hold.at,
  });

function findingOfHold(hold: UsageOf<'held'>, line: Line | undefined): Finding {
  const attempt = { ...hold, state: 'unsettled' as const, credits: hold.upstreamCredits };
  return line === undefined
    ? findingOf('unsettled-not-taken', attempt, 0, 'Nobody settled the hold, and the upstream’s account does not list the attempt: it took nothing.', hold.upstreamCredits)
    : findingOf('unsettled-taken', attempt, line.credits, `Nobody settled the hold; the upstream’s account says that it took ${line.credits}. The tenant, who had no answer, pays nothing.`, hold.upstreamCredits);
}

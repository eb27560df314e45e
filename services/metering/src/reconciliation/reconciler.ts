import { randomUUID } from 'node:crypto';
import { PLATFORM, fact, isTransient, parseId, sleep, type Clock } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { attemptsIn } from './attempts';
import { compare, type Compared, type Finding, type Span } from './compare';
import { ofItself, putOnRecord } from '../usage/on-record';
import type { HoldDecisions } from './decide';
import { compareDays } from './days';
import { keepComparison } from './reconciliations';
import { comparedSoFar, ensureSource, firstLineAt, keepLines, leaseSource, linesIn, readSoFar, releaseSource, renewLease, sources, stillLeased, type Source } from './statements';
import type { UpstreamLedger } from './upstream-ledger';

/** The source whose lines are read from the upstream itself. */
export const LEDGER = 'upstream-ledger';

/** Compared at once: so many lines and attempts are held in memory. */
const LONGEST_SPAN_MS = 600_000;
/** Most of them in one turn of a source, so that a long statement does not keep it from the others. */
const SPANS_A_TURN = 50;
/** A source of a process that has died is another one's after so long; who has it in hand says so three times as often. */
const LEASE_MS = 60_000;

export interface ReconcilerParts {
  readonly work: UnitOfWork;
  readonly holds: HoldDecisions;
  /** undefined: only statements that were imported. */
  readonly ledger: UpstreamLedger | undefined;
  readonly clock: Clock;
  /** How long after a call the upstream lists it at the latest, and its settlement has come or never will, ms. */
  readonly settledWithinMs: number;
  /** How old a call must be to be compared: usage that waits for a broker is on its way and no difference, ms. */
  readonly compareAfterMs: number;
  /** Shorter spans are not compared, ms. */
  readonly everyMs: number;
  readonly onFinding: (source: string, finding: Finding) => void;
  readonly onError: (error: Error) => void;
}

/**
 * Our holds and settlements beside the upstream's own account, all the time: what differs is classed, explained and told. One process has a
 * source at a time, by a lease: the upstream and the tenants' records are asked in no transaction, however long that takes, and what was found
 * is written if the source is still as it was.
 */
export class Reconciler {
  private readonly holder = randomUUID();

  constructor(private readonly parts: ReconcilerParts) {}

  async run(signal: AbortSignal): Promise<void> {
    const { everyMs, onError } = this.parts;
    while (!signal.aborted) {
      await this.once(signal).catch(onError);
      await sleep(everyMs, signal);
    }
  }

  /** One turn of every source that no other process has in hand. */
  async once(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const { work, ledger } = this.parts;
    if (ledger !== undefined) {
      await work.inControl((sql) => ensureSource(sql, LEDGER));
      await this.read(ledger, signal).catch((error: Error) => {
        if (!isTransient(error)) throw error;
        this.parts.onError(error);
      });
    }
    for (const { source } of await work.inControl(sources)) {
      await this.holding(source, async () => {
        for (let spans = 0; spans < SPANS_A_TURN && !signal.aborted; spans++) if (!(await this.turn(source))) break;
      });
    }
  }

  private async holding(source: string, turns: () => Promise<void>): Promise<void> {
    const { work, onError } = this.parts;
    const renewing = setInterval(() => void work.inControl((sql) => renewLease(sql, source, this.holder, LEASE_MS)).catch(onError), LEASE_MS / 3);
    try {
      await turns();
    } finally {
      clearInterval(renewing);
      await work.inControl((sql) => releaseSource(sql, source, this.holder)).catch(onError);
    }
  }

  private lease(source: string): Promise<Source | undefined> {
    return this.parts.work.inControl((sql) => leaseSource(sql, source, this.holder, LEASE_MS));
  }

  /** Reads what the upstream has listed since; what it had listed before a moment is complete when its end was read after that. */
  private async read(ledger: UpstreamLedger, signal: AbortSignal): Promise<void> {
    await this.holding(LEDGER, async () => {
      while (!signal.aborted && (await this.readPage(ledger)));
    });
  }

  /** @returns whether there are more */
  private async readPage(ledger: UpstreamLedger): Promise<boolean> {
    const source = await this.lease(LEDGER);
    if (source === undefined) return false;
    const asked = this.parts.clock();
    const page = await ledger.after(source.readTo);
    return this.parts.work.inControl(async (sql) => {
      if (!(await stillLeased(sql, source, this.holder))) return false;
      await keepLines(sql, LEDGER, page.lines);
      await readSoFar(sql, LEDGER, page.lines.at(-1)?.line ?? source.readTo, page.whole ? asked : undefined);
      return !page.whole;
    });
  }

  /** @returns whether there may be more to compare at once */
  private async turn(name: string): Promise<boolean> {
    const source = await this.lease(name);
    if (source?.coversTo === undefined) return false;
    const complete = source.coversTo - this.parts.settledWithinMs;
    await this.decide(source, complete);
    const span = await this.spanOf(source, Math.min(complete, this.parts.clock() - this.parts.compareAfterMs));
    if (span === undefined) return false;
    const compared = await this.compareSpan(source, span);
    // told before it is written that they were compared: told twice is told once
    for (const finding of compared.findings) await this.tell(source.source, finding);
    return (await this.keep(source, span, compared)) && span.to - span.from === LONGEST_SPAN_MS;
  }

  private async decide(source: Source, before: number): Promise<void> {
    const findings = await this.parts.holds.decide(source, before);
    if (findings.length === 0) return;
    await this.parts.work.inControl((sql) => keepComparison(sql, source.source, undefined, { ...NOTHING, findings }));
    for (const finding of findings) this.parts.onFinding(source.source, finding);
  }

  /** @returns false where the source is not as it was any more: whoever has it now compares the span */
  private async keep(source: Source, span: Span, compared: Compared): Promise<boolean> {
    const kept = await this.parts.work.inControl(async (sql) => {
      if (!(await stillLeased(sql, source, this.holder))) return false;
      await keepComparison(sql, source.source, span, compared);
      await comparedSoFar(sql, source.source, span.to);
      return true;
    });
    if (kept) for (const finding of compared.findings) this.parts.onFinding(source.source, finding);
    return kept;
  }

  private async spanOf(source: Source, complete: number): Promise<Span | undefined> {
    const from = source.comparedTo ?? source.coversFrom ?? (await this.beginning(source.source)) ?? complete;
    const to = Math.min(from + LONGEST_SPAN_MS, complete);
    return to - from < Math.min(this.parts.everyMs, LONGEST_SPAN_MS) ? undefined : { from, to };
  }

  /** Of the first line or the first usage, whichever was before. */
  private async beginning(source: string): Promise<number | undefined> {
    const first = await this.parts.work.inControl((sql) => firstLineAt(sql, source));
    const days = await this.parts.work.inEveryControl((each) => each.query<{ at: number | null }>('select (extract(epoch from min(day)) * 1000)::float8 as at from key_usage'));
    const all = [first, ...days.map(({ rows }) => rows[0]?.at ?? undefined)].filter((at) => at !== undefined);
    return all.length === 0 ? undefined : Math.min(...all);
  }

  private async compareSpan(source: Source, span: Span): Promise<Compared> {
    const { work, settledWithinMs } = this.parts;
    const around = { from: span.from - settledWithinMs, to: span.to + settledWithinMs };
    const lines = await work.inControl((sql) => linesIn(sql, source.source, around));
    const attempts = await attemptsIn(work, around, { keyId: source.keyId, withTests: source.source === LEDGER });
    if (lines.length > 0 && lines.every(({ requestId }) => requestId === '') && source.source !== LEDGER) return compareDays(span, lines, attempts, source.keyId ?? '');
    return compare(span, lines, attempts);
  }

  /** On the record of the tenant whose attempt it is; of the platform where it is nobody's. */
  private async tell(source: string, { tenantId, explanation, ...finding }: Finding): Promise<void> {
    if (finding.class === 'unsettled-taken' || finding.class === 'unsettled-not-taken') return;
    const tenant = parseId('ten', tenantId) ?? PLATFORM;
    const event = fact('usage.discrepancy-found', { ...finding, class: finding.class, source, explanation });
    const context = ofItself('compare usage with the upstream’s account', `${event.type}/${source}/${finding.class}/${finding.requestId}/${finding.attempt}`, this.parts.clock());
    await this.parts.work.inTenant(tenant, (sql) => putOnRecord(sql, tenant, event, context)).catch(this.parts.onError);
  }
}

const NOTHING: Compared = { lines: 0, attempts: 0, upstreamCredits: 0, settledCredits: 0, unsettledCredits: 0, findings: [] };

import { PLATFORM, fact, isTransient, parseId, sleep, type Clock } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { attemptsIn } from './attempts';
import { compare, type Compared, type Finding, type Span } from './compare';
import { put, type HoldDecisions } from './decide';
import { compareDays } from './days';
import { keepComparison } from './reconciliations';
import { claimSource, comparedSoFar, ensureSource, firstLineAt, keepLines, linesIn, readSoFar, sources, type Source } from './statements';
import type { UpstreamLedger } from './upstream-ledger';

/** The source whose lines are read from the upstream itself. */
export const LEDGER = 'upstream-ledger';

/** Compared at once: so many lines and attempts are held in memory. */
const LONGEST_SPAN_MS = 600_000;
/** Most of them in one turn of a source, so that a long statement does not keep it from the others. */
const SPANS_A_TURN = 50;

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

/** Our holds and settlements beside the upstream's own account, all the time: what differs is classed, explained and told. */
export class Reconciler {
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
      for (let spans = 0; spans < SPANS_A_TURN && !signal.aborted; spans++) if (!(await this.turn(source))) break;
    }
  }

  /** Reads what the upstream has listed since; what it had listed before a moment is complete when its end was read after that. */
  private async read(ledger: UpstreamLedger, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const whole = await this.parts.work.inControl(async (sql) => {
        const source = await claimSource(sql, LEDGER);
        if (source === undefined) return true;
        const asked = this.parts.clock();
        const page = await ledger.after(source.readTo);
        await keepLines(sql, LEDGER, page.lines);
        await readSoFar(sql, LEDGER, page.lines.at(-1)?.line ?? source.readTo, page.whole ? asked : undefined);
        return page.whole;
      });
      if (whole) return;
    }
  }

  /** @returns whether there may be more to compare at once */
  private turn(name: string): Promise<boolean> {
    return this.parts.work.inControl(async (sql) => {
      const source = await claimSource(sql, name);
      if (source?.coversTo === undefined) return false;
      const complete = source.coversTo - this.parts.settledWithinMs;
      const decided = await this.parts.holds.decide(sql, source, complete);
      const span = await this.spanOf(sql, source, Math.min(complete, this.parts.clock() - this.parts.compareAfterMs));
      if (span === undefined && decided.length === 0) return false;
      const compared = span === undefined ? NOTHING : await this.compareSpan(sql, source, span);
      const findings = [...decided, ...compared.findings];
      await keepComparison(sql, source.source, span, { ...compared, findings });
      for (const finding of compared.findings) await this.tell(source.source, finding);
      for (const finding of findings) this.parts.onFinding(source.source, finding);
      if (span === undefined) return false;
      await comparedSoFar(sql, source.source, span.to);
      return span.to - span.from === LONGEST_SPAN_MS;
    });
  }

  private async spanOf(sql: Sql, source: Source, complete: number): Promise<Span | undefined> {
    const from = source.comparedTo ?? source.coversFrom ?? (await this.beginning(sql, source.source)) ?? complete;
    const to = Math.min(from + LONGEST_SPAN_MS, complete);
    return to - from < Math.min(this.parts.everyMs, LONGEST_SPAN_MS) ? undefined : { from, to };
  }

  /** Of the first line or the first usage, whichever was before. */
  private async beginning(sql: Sql, source: string): Promise<number | undefined> {
    const days = await this.parts.work.inEveryControl((each) => each.query<{ at: number | null }>('select (extract(epoch from min(day)) * 1000)::float8 as at from key_usage'));
    const all = [await firstLineAt(sql, source), ...days.map(({ rows }) => rows[0]?.at ?? undefined)].filter((at) => at !== undefined);
    return all.length === 0 ? undefined : Math.min(...all);
  }

  private async compareSpan(sql: Sql, source: Source, span: Span): Promise<Compared> {
    const { work, settledWithinMs } = this.parts;
    const around = { from: span.from - settledWithinMs, to: span.to + settledWithinMs };
    const lines = await linesIn(sql, source.source, around);
    const attempts = await attemptsIn(work, around, { keyId: source.keyId, withTests: source.source === LEDGER });
    if (lines.length > 0 && lines.every(({ requestId }) => requestId === '') && source.source !== LEDGER) return compareDays(span, lines, attempts, source.keyId ?? '');
    return compare(span, lines, attempts);
  }

  /** On the record of the tenant whose attempt it is; of the platform where it is nobody's. */
  private async tell(source: string, { tenantId, explanation, ...finding }: Finding): Promise<void> {
    if (finding.class === 'unsettled-taken' || finding.class === 'unsettled-not-taken') return;
    const tenant = parseId('ten', tenantId) ?? PLATFORM;
    const event = fact('usage.discrepancy-found', { ...finding, class: finding.class, source, explanation });
    const subject = `${source}/${finding.class}/${finding.requestId}/${finding.attempt}`;
    await this.parts.work.inTenant(tenant, (sql) => put(sql, tenant, event, subject, this.parts.clock())).catch(this.parts.onError);
  }
}

const NOTHING: Compared = { lines: 0, attempts: 0, upstreamCredits: 0, settledCredits: 0, unsettledCredits: 0, findings: [] };

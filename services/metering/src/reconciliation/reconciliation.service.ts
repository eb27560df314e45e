import { notFound } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { statementOfAnotherKey } from '../errors';
import type { Line } from './compare';
import { listReconciliations, openCounts, readReconciliation, type Reconciliation } from './reconciliations';
import type { Statement } from './reconciliations.http';
import { comparedSoFar, ensureSource, keepLines, readSoFar, sources } from './statements';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const FORGET = `
  delete from discrepancies d using reconciliations r
  where r.id = d.reconciliation_id and r.source = $1 and r.span_to > to_timestamp($2 / 1000.0) and d.decision is null`;

export class ReconciliationService {
  constructor(private readonly work: UnitOfWork) {}

  list(limit: number, before: string | undefined): Promise<Reconciliation[]> {
    return this.work.inControl((sql) => listReconciliations(sql, limit, before));
  }

  /** Over all databases. */
  async open(): Promise<{ undecidedHolds: number; openDifferences: number }> {
    const counts = await this.work.inEveryControl(openCounts);
    return { undecidedHolds: counts.reduce((sum, { undecided }) => sum + undecided, 0), openDifferences: counts.reduce((sum, { open }) => sum + open, 0) };
  }

  /** @throws AppError `not-found` */
  async get(id: string) {
    const found = UUID.test(id) ? await this.work.inControl((sql) => readReconciliation(sql, id)) : undefined;
    if (found === undefined) throw notFound('reconciliation');
    return found;
  }

  /** @throws AppError `statement-of-another-key` when lines under that name were of another key */
  import({ source, keyId, covers, lines }: Statement): Promise<{ source: string; lines: number }> {
    return this.work.inControl(async (sql) => {
      await ensureSource(sql, source, keyId);
      const known = (await sources(sql)).find((one) => one.source === source);
      if (known?.keyId !== keyId) throw statementOfAnotherKey(source, keyId);
      await keepLines(sql, source, lines.map(toLine));
      await readSoFar(sql, source, lines.at(-1)?.line ?? 0, covers === undefined ? undefined : Date.parse(covers.to));
      if (covers !== undefined) await sql.query('update statement_sources set covers_from = $2 where source = $1', [source, covers.from]);
      return { source, lines: lines.length };
    });
  }

  /** What was open of the time from then on is found again, if it is still so. @throws AppError `not-found` */
  again(source: string, from: number): Promise<{ source: string }> {
    return this.work.inControl(async (sql) => {
      if (!(await sources(sql)).some((one) => one.source === source)) throw notFound('source');
      await comparedSoFar(sql, source, from);
      await sql.query(FORGET, [source, from]);
      return { source };
    });
  }
}

function toLine({ line, at, credits, requestId = '', status = 0 }: Statement['lines'][number]): Line {
  const [, request = '', attempt = '0'] = /^(.+)\/(\d{1,9})$/.exec(requestId) ?? [];
  return { line, at: Date.parse(at), credits, status, keyHint: '', requestId: request, attempt: Number(attempt) };
}

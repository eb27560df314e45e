import type { Sql } from '@weir/tenancy';
import type { Compared, Finding, Span } from './compare';

export interface Reconciliation {
  readonly id: string;
  readonly source: string;
  /** RFC 3339; null: holds were decided and nothing else. */
  readonly from: string | null;
  readonly to: string | null;
  readonly lines: number;
  readonly attempts: number;
  /** By the upstream's account. */
  readonly upstreamCredits: number;
  /** By ours. */
  readonly settledCredits: number;
  /** Of attempts whose fate was not known then. */
  readonly unsettledCredits: number;
  /** By class: how many there are, and the upstream's credits less ours. */
  readonly differences: Readonly<Record<string, { readonly count: number; readonly credits: number }>>;
}

export interface Discrepancy {
  readonly class: string;
  readonly tenantId: string | null;
  readonly requestId: string | null;
  readonly attempt: number | null;
  readonly keyId: string | null;
  readonly ourCredits: number;
  readonly upstreamCredits: number;
  readonly explanation: string;
  /** null: a person has to look. */
  readonly decision: 'taken' | 'not-taken' | null;
  readonly foundAt: string;
}

const DECIDED: Readonly<Partial<Record<Finding['class'], string>>> = { 'unsettled-taken': 'taken', 'unsettled-not-taken': 'not-taken' };

// Spans that follow each other without a difference are one comparison of up to an hour: most of the time nothing differs.
const EXTEND = `
  update reconciliations r set span_to = to_timestamp($3 / 1000.0), lines = lines + $4, attempts = attempts + $5, upstream_credits = upstream_credits + $6,
         settled_credits = settled_credits + $7, unsettled_credits = unsettled_credits + $8
  where r.id = (select id from reconciliations where source = $1 order by id desc limit 1) and span_to = to_timestamp($2 / 1000.0)
    and span_from > to_timestamp($3 / 1000.0) - interval '1 hour' and not exists (select from discrepancies d where d.reconciliation_id = r.id)`;

const INSERT = `
  insert into reconciliations (source, span_from, span_to, lines, attempts, upstream_credits, settled_credits, unsettled_credits)
  values ($1, to_timestamp($2 / 1000.0), to_timestamp($3 / 1000.0), $4, $5, $6, $7, $8) returning id`;

const FINDINGS = `
  insert into discrepancies (reconciliation_id, class, tenant_id, request_id, attempt, key_id, our_credits, upstream_credits, explanation, decision)
  select $1, f.class, f."tenantId", f."requestId", f.attempt, f."keyId", f."ourCredits", f."upstreamCredits", f.explanation, f.decision
  from json_to_recordset($2::json) as f (class text, "tenantId" text, "requestId" text, attempt int, "keyId" text, "ourCredits" bigint, "upstreamCredits" bigint, explanation text, decision text)`;

export async function keepComparison(sql: Sql, source: string, span: Span | undefined, compared: Compared): Promise<void> {
  const { lines, attempts, upstreamCredits, settledCredits, unsettledCredits, findings } = compared;
  const values = [source, span?.from ?? null, span?.to ?? null, lines, attempts, upstreamCredits, settledCredits, unsettledCredits];
  if (findings.length === 0 && ((await sql.query(EXTEND, values)) as { rowCount?: number | null }).rowCount === 1) return;
  const { rows } = await sql.query<{ id: string }>(INSERT, values);
  if (findings.length > 0) await sql.query(FINDINGS, [rows[0]?.id, JSON.stringify(findings.map((one) => ({ ...one, decision: DECIDED[one.class] ?? null })))]);
}

const LIST = `
  select id, source, to_json(span_from at time zone 'UTC') #>> '{}' || 'Z' as "from", to_json(span_to at time zone 'UTC') #>> '{}' || 'Z' as "to", lines, attempts,
         upstream_credits::float8 as "upstreamCredits", settled_credits::float8 as "settledCredits", unsettled_credits::float8 as "unsettledCredits",
         (select coalesce(json_object_agg(class, json_build_object('count', n, 'credits', credits)), '{}')
          from (select class, count(*) as n, sum(upstream_credits - our_credits) as credits from discrepancies d where d.reconciliation_id = r.id group by class) c) as differences
  from reconciliations r`;

/** The newest first. */
export const listReconciliations = async (sql: Sql, limit: number, before: string | undefined): Promise<Reconciliation[]> =>
  (await sql.query<Reconciliation>(`${LIST} where $2::uuid is null or id < $2 order by id desc limit $1`, [limit, before ?? null])).rows;

export async function readReconciliation(sql: Sql, id: string): Promise<(Reconciliation & { discrepancies: Discrepancy[] }) | undefined> {
  const { rows } = await sql.query<Reconciliation>(`${LIST} where id = $1`, [id]);
  if (rows[0] === undefined) return undefined;
  const { rows: discrepancies } = await sql.query<Discrepancy>(
    `select class, nullif(tenant_id, '') as "tenantId", nullif(request_id, '') as "requestId", nullif(attempt, 0) as attempt, nullif(key_id, '') as "keyId",
            our_credits::float8 as "ourCredits", upstream_credits::float8 as "upstreamCredits", explanation, decision, to_json(found_at at time zone 'UTC') #>> '{}' || 'Z' as "foundAt"
     from discrepancies where reconciliation_id = $1 order by id limit 1000`,
    [id],
  );
  return { ...rows[0], discrepancies };
}

/** How much is open: holds that nobody has decided, and differences that a person has to look at. */
export async function openCounts(sql: Sql): Promise<{ readonly undecided: number; readonly open: number }> {
  const { rows } = await sql.query<{ undecided: number; open: number }>(
    `select (select count(*) from open_holds where unsettled_at is not null)::int as undecided, (select count(*) from discrepancies where decision is null)::int as open`,
  );
  return rows[0] ?? { undecided: 0, open: 0 };
}

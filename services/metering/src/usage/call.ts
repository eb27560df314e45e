import { rfc3339 } from '@weir/kernel';
import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import { callNotFound } from '../errors';
import type { ChargedOn } from '../invoice/invoice-of-charge';
import type { ChargeView } from './charge';
import { ATTEMPT_STATES, type AttemptState } from './attempt-state';

export interface CallRecord {
  kind: AttemptState | 'served' | 'reversed';
  /** Whether its credits are in the sums; of several settlements of one attempt one is. */
  counts: boolean;
  attempt: number | null;
  at: number;
  /** UTC day in whose sums it is. */
  day: string;
  /** The closed month that it adjusts. */
  adjusts: string | null;
  mode: string;
  endpoint: string;
  project_id: string | null;
  token_id: string | null;
  price_version: string;
  purpose: string | null;
  key_owner: 'platform' | 'own';
  key_id: string | null;
  key_version: number | null;
  key_mode: string;
  cache: string;
  upstream_status: number | null;
  upstream_credits: number;
  charged_credits: number;
  difference: string | null;
}


export interface AttemptView {
  readonly attempt: number;
  readonly state: AttemptState;
  readonly purpose: string | null;
  readonly keyId: string | null;
  readonly keyVersion: number | null;
  readonly heldCredits: number | null;
  readonly upstreamStatus: number | null;
  readonly upstreamCredits: number;
  readonly chargedCredits: number;
  readonly unsettledCredits: number;
  readonly heldAt: string | null;
  readonly decidedAt: string | null;
  readonly why: string;
}

/** Why a call cost what it did. */
export interface CallView {
  readonly requestId: string;
  readonly at: string;
  readonly endpoint: string;
  readonly mode: string;
  readonly projectId: string | null;
  readonly tokenId: string | null;
  readonly priceVersion: string;
  readonly key: 'platform' | 'own';
  readonly keyMode: string;
  /** `hit`, `coalesced` or `stale` for an answer without an attempt of its own. */
  readonly cache: string;
  readonly upstreamCredits: number;
  readonly chargedCredits: number;
  readonly unsettledCredits: number;
  /** null: nothing was charged, or not yet. */
  readonly charge: ChargeView | null;
  /** The invoice or draft that has it, and on which of its lines; null: there is none yet. */
  readonly invoice: ChargedOn | null;
  readonly attempts: readonly AttemptView[];
  readonly why: string;
}

export async function readRecords(sql: Sql, tenant: TenantId, requestId: string): Promise<CallRecord[]> {
  const { rows } = await sql.query<CallRecord>(
    `select kind, counts <> 'nothing' as counts, nullif(attempt, 0) as attempt, at::float8 as at, to_char(day, 'YYYY-MM-DD') as day, nullif(adjusts, '') as adjusts,
            mode, endpoint, nullif(project_id, '') as project_id, nullif(token_id, '') as token_id, price_version, nullif(purpose, '') as purpose,
            key_owner, nullif(key_id, '') as key_id, nullif(key_version, 0) as key_version, key_mode, cache, nullif(status, 0) as upstream_status,
            upstream_credits::float8 as upstream_credits, charged_credits::float8 as charged_credits, nullif(difference, '') as difference
     from usage_events where tenant_id = $1 and request_id = $2 order by at, event_id limit 500`,
    [tenant, requestId],
  );
  return rows;
}

/** @throws AppError `not-found` when nothing is on record */
export function explainCall(requestId: string, records: readonly CallRecord[], charge: ChargeView | null, invoice: ChargedOn | null): CallView {
  const [first] = records;
  if (first === undefined) throw callNotFound();
  const attempts = [...Map.groupBy(records.filter(({ attempt }) => attempt !== null), ({ attempt }) => attempt as number)]
    .sort(([a], [b]) => a - b)
    .map(([attempt, of]) => explainAttempt(attempt, of));
  const served = records.find((record) => record.kind === 'served');
  const sum = (of: (attempt: AttemptView) => number) => attempts.reduce((before, attempt) => before + of(attempt), 0);
  return {
    requestId,
    at: rfc3339(first.at),
    endpoint: first.endpoint,
    mode: first.mode,
    projectId: first.project_id,
    tokenId: first.token_id,
    priceVersion: first.price_version,
    key: (served ?? records.at(-1) ?? first).key_owner,
    keyMode: first.key_mode,
    cache: served?.cache ?? 'miss',
    upstreamCredits: sum((attempt) => attempt.upstreamCredits),
    chargedCredits: sum((attempt) => attempt.chargedCredits) + (served?.charged_credits ?? 0),
    unsettledCredits: sum((attempt) => attempt.unsettledCredits),
    charge,
    invoice,
    attempts,
    why: served === undefined ? attempts.map(({ attempt, why }) => `Attempt ${attempt}: ${why}`).join(' ') : whyServed(served),
  };
}

function explainAttempt(attempt: number, records: readonly CallRecord[]): AttemptView {
  const state = ATTEMPT_STATES.findLast((one) => records.some(({ kind }) => kind === one)) ?? 'held';
  const held = records.find((record) => record.kind === 'held');
  const decided = records.find((record) => record.kind === state && record.counts) ?? records.find((record) => record.kind === state);
  const known = decided ?? held;
  const used = state === 'settled' || state === 'taken' ? decided : undefined;
  return {
    attempt,
    state,
    purpose: known?.purpose ?? null,
    keyId: known?.key_id ?? null,
    keyVersion: known?.key_version ?? null,
    heldCredits: held?.upstream_credits ?? null,
    upstreamStatus: used?.upstream_status ?? null,
    upstreamCredits: used?.upstream_credits ?? 0,
    chargedCredits: used?.charged_credits ?? 0,
    unsettledCredits: state === 'unsettled' ? (decided?.upstream_credits ?? 0) : 0,
    heldAt: held === undefined ? null : rfc3339(held.at),
    decidedAt: state === 'held' || decided === undefined ? null : rfc3339(decided.at),
    why: whyAttempt(state, decided),
  };
}

function whyAttempt(state: AttemptState, decided: CallRecord | undefined): string {
  const credits = decided?.upstream_credits ?? 0;
  switch (state) {
    case 'held':
      return `up to ${credits} credits are held until the call is settled.`;
    case 'released':
      return 'nothing was sent; the hold is void.';
    case 'unsettled':
      return `no settlement arrived in time; the upstream may have taken ${amount(credits)}, of which you pay nothing.`;
    case 'taken':
      return `no settlement arrived; the upstream’s own account says that it took ${amount(credits)}, of which you pay nothing.`;
    case 'not-taken':
      return 'no settlement arrived; the upstream’s own account does not list it, so that it took nothing.';
    case 'settled':
      return whySettled(credits, decided);
  }
}

const amount = (credits: number): string => (credits === 1 ? '1 credit' : `${credits} credits`);

function whySettled(credits: number, decided: CallRecord | undefined): string {
  const charged = decided?.charged_credits ?? 0;
  if (decided?.difference === 'absorbed')
    return `the upstream took ${amount(credits)} for an answer that was of no use; you pay ${charged}.`;
  if (decided?.difference === 'validation')
    return `a test of the key, which took ${amount(credits)} upstream; you pay ${charged}.`;
  return `the upstream took ${amount(credits)}; you pay ${charged}.`;
}

function whyServed({ cache, charged_credits: charged }: CallRecord): string {
  const how = cache === 'coalesced' ? 'It shared the answer of an identical call in flight' : 'It was answered from the cache';
  return `${how}: the upstream took nothing; you pay ${amount(charged)}.`;
}

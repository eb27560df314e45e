import type { Distributed } from '@weir/stack';
import type { Operator } from '../trial-to-own-key/operator';
import type { Callers } from './tenants';

/** Per key: the upstream's ledger = settled + unsettled. */
export interface KeyEquation {
  readonly keyId: string;
  readonly upstreamLedger: number;
  readonly settled: number;
  readonly unsettled: number;
}

/** Per tenant: charged = usage = rollup = quota = quantity on the invoice; and no row of sums that differs from the records. */
export interface TenantEquation {
  readonly tenant: string;
  readonly records: number;
  readonly usage: number;
  readonly hourly: number;
  readonly quota: number;
  readonly invoice: number;
  readonly driftRows: number;
}

export interface Books {
  readonly keys: readonly KeyEquation[];
  readonly tenants: readonly TenantEquation[];
  /** Holds whose fate nothing has decided yet. */
  readonly undecided: number;
  /** Differences from the upstream's account that a person would have to look at. */
  readonly open: number;
  /** Holds that nobody had settled, as they were decided. */
  readonly taken: number;
  readonly notTaken: number;
}

export const keyHolds = ({ upstreamLedger, settled, unsettled }: KeyEquation): boolean => upstreamLedger === settled + unsettled;
export const tenantHolds = ({ records, usage, hourly, quota, invoice, driftRows }: TenantEquation): boolean =>
  [usage, hourly, quota, invoice].every((one) => one === records) && driftRows === 0;
export const allHold = ({ keys, tenants, undecided }: Books): boolean => undecided === 0 && keys.every(keyHolds) && tenants.every(tenantHolds);

/** Both sides of both equations, each from where it stands; `records` is counted from the records of usage alone. */
export async function readBooks(weir: Distributed, operator: Operator, { tenants, secrets }: Callers, countRecords: (tenant: string) => Promise<number>): Promise<Books> {
  const totals = await (await fetch(`${weir.simulator.url}/_simulator/ledger/totals`)).json() as { data: { key: string; credits: number }[] };
  const taken = new Map(totals.data.map(({ key, credits }) => [key, credits]));
  const byKey = await operator('GET', '/v1/usage?groupBy=key&mode=all');
  const keys = [...secrets].map(([keyId, secret]): KeyEquation => {
    const row = byKey.data.find((one: { keyId: string | null }) => one.keyId === keyId);
    return { keyId, upstreamLedger: taken.get(secret) ?? 0, settled: row?.upstreamCredits ?? 0, unsettled: row?.unsettledCredits ?? 0 };
  });
  const books: TenantEquation[] = [];
  for (const { id, slug } of tenants) {
    const [daily, hourly, quota, preview, check] = [
      await operator('GET', `/v1/tenants/${id}/usage`),
      await operator('GET', `/v1/tenants/${id}/usage?groupBy=hour`),
      await operator('GET', `/v1/tenants/${id}/quota`),
      await operator('GET', `/v1/tenants/${id}/invoices/preview`),
      await operator('POST', `/v1/tenants/${id}/usage/check`),
    ];
    books.push({
      tenant: slug,
      records: await countRecords(id),
      usage: daily.totals.chargedCredits,
      hourly: hourly.totals.chargedCredits,
      quota: quota.month.usedCredits,
      invoice: preview.chargedCredits,
      driftRows: check.rows,
    });
  }
  const { data, undecidedHolds, openDifferences } = await operator('GET', '/v1/reconciliations?limit=500');
  const decided = (name: string) => data.reduce((sum: number, { differences }: { differences: Record<string, { count: number }> }) => sum + (differences[name]?.count ?? 0), 0);
  return { keys, tenants: books, undecided: undecidedHolds, open: openDifferences, taken: decided('unsettled-taken'), notTaken: decided('unsettled-not-taken') };
}

/** For people, and for whoever has to believe it. */
export function inWords({ keys, tenants, undecided, taken, notTaken, open }: Books): string {
  const say = (holds: boolean) => (holds ? '=' : '≠');
  return [
    'per key: the upstream’s ledger = settled + unsettled',
    ...keys.map((one) => `  ${one.keyId}  ${one.upstreamLedger} ${say(keyHolds(one))} ${one.settled} + ${one.unsettled}`),
    'per tenant: records = usage = by hour = quota = invoice',
    ...tenants.map((one) => `  ${one.tenant.padEnd(12)}${one.records} ${say(tenantHolds(one))} ${one.usage} = ${one.hourly} = ${one.quota} = ${one.invoice}${one.driftRows === 0 ? '' : `, ${one.driftRows} rows of sums differ`}`),
    `holds that nobody settled: ${taken} taken, ${notTaken} not taken by the upstream's account, ${undecided} undecided; other differences from it: ${open}`,
  ].join('\n');
}

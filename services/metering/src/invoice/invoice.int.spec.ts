import { setTimeout as sleep } from 'node:timers/promises';
import { toRecord } from '@weir/bus';
import { eventsTopic } from '@weir/contracts';
import { schemaDifferences } from '@weir/entities';
import { newId, newUuid, rfc3339, type TenantId } from '@weir/kernel';
import { eventually } from '@weir/testing';
import { Client } from 'pg';
import { startMetering, type MeteringService } from '../testing/metering-service';
import { planTermsOf } from '../testing/plans';
import { served, settled } from '../testing/samples';
import type { UsageReport } from '../usage/usage.service';
import type { InvoiceRun } from './invoice-desk';
import type { InvoiceSummary, InvoiceView } from './invoice-store';
import type { InvoicePreview } from './invoice.service';
import type { LedgerView } from '../ledger/ledger';
import { PriceExceptionRow } from '../billing/read-model';
import { BudgetRow } from '../budget/read-model';
import { ENTITIES } from './read-models';

const eur = (amount: string) => ({ amount, currency: 'EUR' });
const PRO = planTermsOf({ includedCalls: 3, billing: { model: 'seat-plus-overage', perCredit: eur('0.01'), perSeat: eur('30'), perMonth: eur('0') } });
/** A month long past: its invoices can be made. */
const MONTH = '2026-09';
const SEPTEMBER = Date.UTC(2026, 8, 15, 12);

let metering: MeteringService;
let admin: Client;

beforeAll(async () => {
  metering = await startMetering();
  admin = new Client({ connectionString: metering.database.adminUrl });
  await admin.connect();
}, 60_000);
afterAll(async () => {
  await admin.end();
  await metering.stop();
});

const operator = <T>(method: string, path: string, body?: unknown, headers?: Record<string, string>) => metering.call<T>(method, path, metering.operator, { body, ...(headers ? { headers } : {}) });
const run = async (tenant: TenantId, more: object = {}) => {
  const answer = await operator<InvoiceRun>('POST', '/v1/invoice-runs', { period: MONTH, tenants: [tenant], ...more });
  expect(answer.status).toBe(200);
  return answer.body;
};
const invoicesOf = async (tenant: TenantId) => (await operator<{ data: InvoiceSummary[] }>('GET', `/v1/tenants/${tenant}/invoices`)).body.data;
const invoice = async (tenant: TenantId, id: string) => (await operator<InvoiceView>('GET', `/v1/tenants/${tenant}/invoices/${id}`)).body;
const ledger = async (tenant: TenantId) => (await operator<LedgerView>('GET', `/v1/tenants/${tenant}/ledger`)).body;
const counted = (tenant: TenantId, credits: number) =>
  eventually(async () => expect((await operator<UsageReport>('GET', `/v1/tenants/${tenant}/usage?from=2026-09-01&to=${rfc3339(Date.now()).slice(0, 10)}`)).body.totals.chargedCredits).toBe(credits));

async function tenantWith(credits: number): Promise<TenantId> {
  const tenant = await metering.tenantOn(PRO);
  await metering.publish(settled({ tenantId: tenant, at: SEPTEMBER, chargedCredits: credits, upstreamCredits: credits }));
  await counted(tenant, credits);
  return tenant;
}

const say = (tenantId: TenantId, type: string, data: unknown, at: number) =>
  metering.bus.publish([
    toRecord({
      id: newUuid(), type, tenantId, key: `${tenantId}/tenant/${tenantId}`, data: Buffer.from(JSON.stringify(data)), source: '/weir', subject: 'tenant',
      time: rfc3339(at), topic: eventsTopic('tenant'), schemaVersion: 1, position: 1, stream: `tenant/${tenantId}`, version: 1, author: 'weir_tenant_registry',
      requestId: null, causationId: null, correlationId: null,
    } as never),
  ]);

describe('invoices', () => {
  it('the entities are the tables that the migrations make', async () => {
    const tenant = await metering.tenantOn(PRO);
    const { rows } = await admin.query<{ schema: string }>(`select nspname as schema from pg_namespace where nspname = 't_' || substr($1, 5)`, [tenant]);
    expect(await schemaDifferences(metering.database.adminUrl, rows[0]?.schema ?? 'nowhere', [...ENTITIES, BudgetRow, PriceExceptionRow])).toEqual([]);
  });

  it('are drafted, made final with a number, listed, and read as JSON and as CSV', async () => {
    const tenant = await tenantWith(7);
    expect(await run(tenant, { draft: true })).toMatchObject({ drafted: 1, finalized: 0, failed: [] });
    expect(await invoicesOf(tenant)).toMatchObject([{ status: 'draft', number: null, period: MONTH, chargedCredits: 7 }]);
    expect(await run(tenant)).toMatchObject({ finalized: 1, failed: [] });

    const [made] = await invoicesOf(tenant);
    expect(made).toMatchObject({ status: 'final', number: 'INV-000001', kind: 'invoice', chargedCredits: 7, total: eur('0.04') });
    const whole = await invoice(tenant, made?.id ?? '');
    expect(whole.lines).toMatchObject([
      { item: 'seats', quantity: '0', amount: eur('0.00') },
      { item: 'credits-included', quantity: '3', amount: eur('0.00'), from: '2026-09-01', to: '2026-09-30' },
      { item: 'credits', quantity: '4', unitPrice: eur('0.01'), per: 1, amount: eur('0.04') },
    ]);
    const csv = await operator<string>('GET', `/v1/tenants/${tenant}/invoices/${made?.id}`, undefined, { accept: 'text/csv' });
    expect(csv.headers.get('content-disposition')).toContain('INV-000001.csv');
    expect(csv.body.split('\r\n').slice(3)).toEqual([
      'INV-000001,2026-09,3,credits,Credits,2026-09-01,2026-09-30,4,0.01,1,,0.04,EUR',
      'INV-000001,2026-09,,total,,,,,,,,0.04,EUR',
      '',
    ]);
  });

  it('M10 of one month are one, whoever asks for them at once, and numbers have no gap', async () => {
    const tenant = await tenantWith(7);
    const runs = await Promise.all(Array.from({ length: 8 }, () => run(tenant)));
    expect(runs.map(({ finalized, unchanged, failed }) => [finalized + unchanged, failed])).toEqual(runs.map(() => [1, []]));
    expect(runs.reduce((sum, { finalized }) => sum + finalized, 0)).toBe(1);
    expect(await run(tenant)).toMatchObject({ unchanged: 1 });
    expect((await invoicesOf(tenant)).map(({ number }) => number)).toEqual(['INV-000001']);
    await run(tenant, { period: '2026-10' });
    expect((await invoicesOf(tenant)).map(({ number }) => number)).toEqual(['INV-000002', 'INV-000001']);
  });

  it('are not made final before the month is over', async () => {
    const period = rfc3339(Date.now()).slice(0, 7);
    const answer = await operator<{ code: string; opensAt: string }>('POST', '/v1/invoice-runs', { period });
    expect(answer).toMatchObject({ status: 409, body: { code: 'month-not-over' } });
    expect(Date.parse(answer.body.opensAt)).toBeGreaterThan(Date.now());
  });

  it('M8 take what comes late of a closed month on the next one, at the closed month’s price, and never change', async () => {
    const tenant = await tenantWith(2);
    await run(tenant);
    const [september] = await invoicesOf(tenant);
    const before = await invoice(tenant, september?.id ?? '');
    await metering.publish(settled({ tenantId: tenant, at: SEPTEMBER + 1_000, chargedCredits: 5, upstreamCredits: 5 }));
    await counted(tenant, 7);

    expect(await invoice(tenant, september?.id ?? '')).toEqual(before);
    const { body: preview } = await operator<InvoicePreview>('GET', `/v1/tenants/${tenant}/invoices/preview`);
    // 2 of 3 included credits were used: one of the five is included, four are 0.01 each
    expect(preview.lines.filter(({ item }) => item === 'credits-adjustment')).toMatchObject([{ quantity: '5', amount: eur('0.04') }]);
    expect(before.chargedCredits + preview.chargedCredits).toBe(7);
  });

  it('close no month while its usage is being counted: what was counted is on the invoice or an adjustment, to the credit', async () => {
    const tenant = await tenantWith(1);
    const late = Array.from({ length: 40 }, (_, index) => settled({ tenantId: tenant, at: SEPTEMBER + index, chargedCredits: 1, upstreamCredits: 1 }));
    const publishing = (async () => {
      for (const record of late) {
        await metering.publish(record);
        await sleep(5);
      }
    })();
    await sleep(60);
    expect(await run(tenant)).toMatchObject({ finalized: 1, failed: [] });
    await publishing;
    await counted(tenant, 41);
    const [september] = await invoicesOf(tenant);
    const { body: preview } = await operator<InvoicePreview>('GET', `/v1/tenants/${tenant}/invoices/preview`);
    expect((september?.chargedCredits ?? 0) + preview.chargedCredits).toBe(41);
  });

  it('price each day by the plan that held, and seats and fees by their share of the month', async () => {
    const tenant = await metering.tenantOn(PRO);
    await say(tenant, 'member.added', { memberId: newId('mem'), role: 'member' }, Date.UTC(2026, 0, 1));
    await say(tenant, 'tenant.registered', { plan: { id: `plan-of-${tenant}`, version: 1 } }, Date.UTC(2026, 8, 16, 15));
    await metering.publish(settled({ tenantId: tenant, at: Date.UTC(2026, 8, 20), chargedCredits: 9, upstreamCredits: 9 }));
    await counted(tenant, 9);
    await eventually(async () => {
      const { body } = await operator<InvoicePreview>('GET', `/v1/tenants/${tenant}/invoices/preview?period=${MONTH}`);
      expect(body.lines).toMatchObject([
        { item: 'seats', quantity: '1', from: '2026-09-16', to: '2026-09-30', share: '15/30', amount: eur('15.00') },
        { item: 'credits-included', quantity: '1' },
        { item: 'credits', quantity: '8', amount: eur('0.08') },
      ]);
    });
  });

  it('are made from the sums alone: no run and no preview reads a record of usage', async () => {
    const tenant = await tenantWith(7);
    // a session counts its scans when it is idle for ten seconds, or when it ends
    const scans = async () => {
      const ended = await admin.query<{ pid: number }>(`select pid, pg_terminate_backend(pid, 2000) from pg_stat_activity where datname = current_database() and usename = 'weir_metering'`);
      expect(ended.rowCount).toBeGreaterThan(0);
      const { rows } = await admin.query<{ scans: string }>(
        `select coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::text as scans from pg_stat_all_tables where schemaname = 't_' || substr($1, 5) and relname like 'usage_events%'`,
        [tenant],
      );
      return rows[0]?.scans;
    };
    const before = await scans();
    await run(tenant, { draft: true });
    await run(tenant);
    await operator('GET', `/v1/tenants/${tenant}/invoices/preview?period=${MONTH}`);
    expect(await scans()).toBe(before);
    const [made] = await invoicesOf(tenant);
    expect(made?.status).toBe('final');
  });

  it('are named by what a call was charged: the lines that count it, on the next invoice where its month was closed', async () => {
    const tenant = await metering.tenantOn(PRO);
    const [first, late] = [newId('req'), newId('req')];
    const chargedOn = async (requestId: string) => (await operator<{ invoice: unknown }>('GET', `/v1/tenants/${tenant}/calls/${requestId}`)).body.invoice;
    await metering.publish(settled({ tenantId: tenant, requestId: first, at: SEPTEMBER, chargedCredits: 7, upstreamCredits: 7 }));
    await counted(tenant, 7);
    expect(await chargedOn(first)).toBeNull();
    await run(tenant);
    const [september] = await invoicesOf(tenant);
    expect(await chargedOn(first)).toEqual({ id: september?.id, number: 'INV-000001', status: 'final', lines: [2, 3] });

    await metering.publish(settled({ tenantId: tenant, requestId: late, at: SEPTEMBER, chargedCredits: 1, upstreamCredits: 1 }));
    await counted(tenant, 8);
    await run(tenant, { period: rfc3339(Date.now()).slice(0, 7), draft: true });
    const [draft] = await invoicesOf(tenant);
    const { lines } = await invoice(tenant, draft?.id ?? '');
    expect(await chargedOn(late)).toEqual({ id: draft?.id, number: null, status: 'draft', lines: [lines.findIndex(({ item }) => item === 'credits-adjustment') + 1] });
  });

  it('a served answer is on them like a settled one', async () => {
    const tenant = await metering.tenantOn(PRO);
    await metering.publish(served({ tenantId: tenant, at: SEPTEMBER, chargedCredits: 4 }));
    await counted(tenant, 4);
    await run(tenant);
    expect(await invoicesOf(tenant)).toMatchObject([{ chargedCredits: 4, total: eur('0.01') }]);
  });
});

describe('the ledger', () => {
  it('books an invoice and its credit notes double, and adds up to zero', async () => {
    const tenant = await tenantWith(103);
    await run(tenant);
    const [made] = await invoicesOf(tenant);
    const note = await operator<InvoiceView>('POST', `/v1/tenants/${tenant}/invoices/${made?.id}/credit-notes`, { amount: eur('0.25'), reason: 'an outage of ours' });
    expect(note).toMatchObject({ status: 201, body: { kind: 'credit-note', number: 'CN-000001', corrects: made?.id, total: eur('-0.25'), reason: 'an outage of ours' } });
    expect((await invoice(tenant, made?.id ?? '')).status).toBe('corrected');
    expect((await ledger(tenant)).balances).toEqual([
      { account: 'receivable', balance: eur('0.75') },
      { account: 'revenue/credits', balance: eur('-1.00') },
      { account: 'revenue/credit-notes', balance: eur('0.25') },
    ]);
    const tooMuch = await operator<{ code: string }>('POST', `/v1/tenants/${tenant}/invoices/${made?.id}/credit-notes`, { amount: eur('0.76'), reason: 'too much' });
    expect(tooMuch).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
  });

  it('takes no entry that leaves it out of balance, and changes none, not even for its own service or a superuser', async () => {
    const tenant = await tenantWith(103);
    await run(tenant);
    const asService = (statement: string) => metering.database.work.inTenant(tenant, (sql) => sql.query(statement, [tenant]));
    await expect(asService(`insert into ledger_entries values ($1, 'inv_x', 1, 'receivable', 'EUR', 5, 0)`)).rejects.toThrow('add up to zero');
    await expect(asService('update ledger_entries set amount_minor = 0 where tenant_id = $1')).rejects.toThrow('append-only');
    await expect(asService('delete from ledger_entries where tenant_id = $1')).rejects.toThrow('append-only');
    const schema = `t_${tenant.slice(4)}`;
    await expect(admin.query(`delete from ${schema}.ledger_entries`)).rejects.toThrow('append-only');
    await expect(admin.query(`truncate ${schema}.ledger_entries`)).rejects.toThrow('append-only');
  });

  it('of another tenant, and its invoices, are nobody’s: 404 by id, 403 for a member', async () => {
    const tenant = await tenantWith(1);
    await run(tenant);
    const [made] = await invoicesOf(tenant);
    const other = await metering.tenantOn(PRO);
    const [owner, member] = [await metering.tokenOf(other, 'owner'), await metering.tokenOf(other, 'member')];
    await eventually(async () => expect((await metering.call('GET', `/v1/tenants/${other}/invoices`, owner)).status).toBe(200));
    expect((await metering.call('GET', `/v1/tenants/${tenant}/invoices/${made?.id}`, owner)).status).toBe(404);
    expect((await metering.call('GET', `/v1/tenants/${other}/invoices/${made?.id}`, owner)).status).toBe(404);
    expect((await metering.call('GET', `/v1/tenants/${other}/ledger`, member)).status).toBe(403);
    expect((await metering.call('POST', '/v1/invoice-runs', owner, { body: { period: MONTH } })).status).toBe(403);
  });
});

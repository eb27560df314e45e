import type { BusRecord } from '@weir/bus';
import { USAGE_TOPIC, type Usage } from '@weir/contracts';
import { systemClock, type TenantId } from '@weir/kernel';
import { KeptMonths } from '../usage/kept-months';
import { UsageLedger } from '../usage/ledger';
import { findDrift, type Drifted } from '../usage/recount';
import type { ReportRow, Sums } from '../usage/report';
import { UnsettledHolds } from '../usage/unsettled';
import { UsageConsumer } from '../usage/usage.consumer';
import { UsageService } from '../usage/usage.service';
import { meteringDatabase, type MeteringDatabase } from './metering-database';

const EVER = { from: '2020-01-01', to: '2099-12-31', mode: 'all' } as const;

/** A database in which usage is counted, and what can be asked of it. */
export interface Counting {
  readonly database: MeteringDatabase;
  readonly ledger: UsageLedger;
  readonly consumer: UsageConsumer;
  readonly usage: UsageService;
  /** As one batch of one partition. */
  ingest(...records: Usage[]): Promise<void>;
  totals(tenant: TenantId): Promise<Sums>;
  byKey(tenant: TenantId): Promise<Omit<ReportRow, 'calls'>[]>;
  /** What the state topic says of it. */
  saidQuota(tenant: TenantId): Promise<unknown>;
  drift(tenant: TenantId): Promise<{ readonly rows: number; readonly shown: readonly Drifted[] }>;
  /** One look for holds that nobody settled. @returns how many there were */
  overdue(afterMs?: number): Promise<number>;
}

export const batch = (records: readonly Usage[], partition = 0): BusRecord[] =>
  records.map((record, offset) => ({
    topic: USAGE_TOPIC,
    partition,
    offset: String(offset),
    key: `${record.tenantId}/${record.requestId}`,
    value: Buffer.from(JSON.stringify(record)),
    headers: { 'content-type': 'application/json' },
    timestamp: record.at,
  }));

export async function startCounting(): Promise<Counting> {
  const database = await meteringDatabase();
  const { work } = database;
  const ledger = new UsageLedger(work, systemClock);
  const consumer = new UsageConsumer(ledger, new KeptMonths(systemClock, 25));
  const usage = new UsageService(work);
  const failing = (error: Error): never => {
    throw error;
  };
  return {
    database,
    ledger,
    consumer,
    usage,
    ingest: (...records) => consumer.ingest(batch(records)),
    totals: async (tenant) => (await usage.ofTenant(tenant, { ...EVER, groupBy: [] })).totals,
    byKey: async (tenant) => (await usage.ofAll({ ...EVER, groupBy: ['tenant', 'key'] })).data.filter((row) => row['tenantId'] === tenant),
    saidQuota: async (tenant) => {
      const { rows } = await work.inTenant(tenant, (sql) => sql.query<{ body: string }>(`select body from published_states where topic = 'weir.quota.state'`));
      return rows[0] === undefined ? undefined : JSON.parse(rows[0].body);
    },
    drift: (tenant) => work.inTenant(tenant, (sql) => findDrift(sql, tenant, { from: '2020-01-01', keptFrom: '2020-01-01' })),
    overdue: (afterMs = -1_000) => new UnsettledHolds(work, ledger, afterMs, failing).find(),
  };
}

import { join } from 'node:path';
import type { Usage } from '@weir/contracts';
import { newId, systemClock, type TenantId } from '@weir/kernel';
import { KeptMonths, RollupChecks, UnsettledHolds, UsageLedger } from '@weir/metering';
import { startPostgres } from '@weir/stack';
import { MIGRATOR, collectBundle, createPool, loginOf, prepareDatabase, provisioner, schemaOf, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import type { Pool } from 'pg';
import { invariant, type Outcome, type Scenario } from '../scenario';
import { stories } from './stories';

const PASSWORD = 'chaos';
/** As a consumer has them. */
const BATCH = 2_000;
const AT_ONCE = 2;
/** Holds that came in before are given up after so many records, so that some are settled after all and some never. */
const GIVEN_UP_EVERY = 200_000;
/** Records of a call may come so many batches apart. */
const WAITING = 5;

/** So many records of every kind, in any order; then the sums are thrown away and made anew from the records. */
export const rebuild: Scenario = {
  name: 'rebuild',
  title: 'M9 so many records of usage counted, some twice, in any order; sums made anew from them are exactly the same',
  times: 10_000_000,
  async run({ times, random, directory, progress }) {
    const server = await startPostgres({ dataDir: join(directory, 'postgres'), settings: { max_connections: 50, shared_buffers: '1GB', max_wal_size: '8GB', checkpoint_timeout: '30min', work_mem: '64MB', fsync: 'off' } });
    await prepareDatabase(server.adminUrl, collectBundle(), PASSWORD);
    const as = (username: string) => Object.assign(new URL(server.adminUrl), { username, password: PASSWORD }).href;
    const pools = [createPool({ url: server.adminUrl, name: 'chaos/admin', max: 2 }), createPool({ url: as(MIGRATOR), name: 'chaos/migrator', max: 1 }), createPool({ url: as(loginOf('metering')), name: 'chaos', max: 6 })] as [Pool, Pool, Pool];
    const [admin, migrator, own] = pools;
    try {
      const tenant = newId('ten');
      await provisioner(migrator, collectBundle()).provision(tenant, 'schema');
      return await countAndRebuild({ work: unitOfWork(own, 'metering'), admin, tenant, records: times, random, progress });
    } finally {
      await Promise.all(pools.map((pool) => pool.end()));
      await server.stop();
    }
  },
};

export interface Rebuilding {
  readonly work: UnitOfWork;
  /** Sees behind what a service may see. */
  readonly admin: Pool;
  readonly tenant: TenantId;
  readonly records: number;
  readonly random: () => number;
  progress(line: string): void;
}

export async function countAndRebuild({ work, admin, tenant, records, random, progress }: Rebuilding): Promise<Outcome> {
  const ledger = new UsageLedger(work, systemClock);
  const fail = (error: Error): never => {
    throw error;
  };
  const holds = new UnsettledHolds(work, ledger, -1, fail);
  const kept = new KeptMonths(systemClock, 25);
  const checks = new RollupChecks({ work, clock: systemClock, kept, tenants: () => [tenant], onChecked: () => undefined, onError: fail });

  const counting = performance.now();
  const given = await count({ ledger, holds, tenant, records, random, progress });
  const counted = performance.now();
  const before = await sums(admin, tenant);
  const check = await checks.check(tenant);
  const checked = performance.now();
  progress(`${given} records counted in ${seconds(counting, counted)} s, compared in ${seconds(counted, checked)} s`);

  await admin.query(`update "${schemaOf(tenant)}".usage_daily set charged_credits = charged_credits + 1 where ctid = (select min(ctid) from "${schemaOf(tenant)}".usage_daily)`);
  const found = await checks.check(tenant);
  for (const table of ['usage_daily', 'usage_hourly', 'charged_daily']) await admin.query(`truncate "${schemaOf(tenant)}".${table}`);
  await admin.query('truncate weir_metering.key_usage');
  const rebuilding = performance.now();
  await checks.rebuild(tenant, { actor: { type: 'operator', id: 'chaos' }, commandId: 'rebuild', at: systemClock(), action: 'rebuild' });
  const rebuilt = performance.now();
  const after = await sums(admin, tenant);
  return {
    invariants: [
      invariant('M9 the sums are what the records add up to, as they were counted', check.rows === 0, check.shown),
      invariant('a row that is not is found, and on the record', found.rows > 0 && (await eventsOf(admin, tenant)).includes('usage.drift-found'), found),
      invariant('M9 made anew from the records they are exactly the same: by hour, by day, by key, of the quota', JSON.stringify(after) === JSON.stringify(before), { before, after }),
    ],
    figures: {
      records: given,
      'seconds to count': seconds(counting, counted),
      'records counted a second': Math.round(given / ((counted - counting) / 1_000)),
      'seconds to compare': seconds(counted, checked),
      'seconds to rebuild': seconds(rebuilding, rebuilt),
      'rows of sums by hour': before['usage_hourly']?.rows ?? 0,
    },
  };
}

interface Counting extends Omit<Rebuilding, 'work' | 'admin'> {
  readonly ledger: UsageLedger;
  readonly holds: UnsettledHolds;
}

/** Batches of records of calls that are under way, in any order, a tenth of them once more. */
async function count({ ledger, holds, tenant, records, random, progress }: Counting): Promise<number> {
  const calls = stories(tenant, random, Date.now());
  const waiting: Usage[] = [];
  let given = 0;
  let lastSaid = 0;
  const next = (): Usage[] => {
    while (waiting.length < BATCH * WAITING) waiting.push(...calls.next().value);
    const batch = Array.from({ length: Math.min(BATCH, records - given) }, () => {
      const at = Math.floor(random() * waiting.length);
      const record = waiting[at] as Usage;
      const last = waiting.pop() as Usage;
      if (random() < 0.1) waiting.push(record);
      if (at < waiting.length) waiting[at] = last;
      return record;
    });
    given += batch.length;
    return batch;
  };
  const lane = async () => {
    while (given < records) {
      const batch = next();
      await ledger.record(tenant, batch);
      if (Math.floor(given / GIVEN_UP_EVERY) > lastSaid) {
        lastSaid = Math.floor(given / GIVEN_UP_EVERY);
        while ((await holds.find()) > 0);
        progress(`${given} of ${records}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  while ((await holds.find()) > 0);
  return given;
}

const TABLES = ['usage_hourly', 'usage_daily', 'charged_daily'] as const;

async function sums(admin: Pool, tenant: TenantId): Promise<Record<string, { rows: number; digest: string }>> {
  const tables: Record<string, { rows: number; digest: string }> = {};
  for (const table of [...TABLES.map((name) => `"${schemaOf(tenant)}".${name}`), 'weir_metering.key_usage']) {
    const { rows } = await admin.query<{ rows: number; digest: string }>(`select count(*)::int as rows, coalesce(md5(string_agg(t::text, ',' order by t::text)), '') as digest from ${table} t where tenant_id = $1`, [tenant]);
    tables[table.slice(table.lastIndexOf('.') + 1)] = rows[0] ?? { rows: 0, digest: '' };
  }
  return tables;
}

const eventsOf = async (admin: Pool, tenant: TenantId): Promise<string[]> => (await admin.query<{ type: string }>(`select type from "${schemaOf(tenant)}".events`)).rows.map(({ type }) => type);
const seconds = (from: number, to: number): number => Number(((to - from) / 1_000).toFixed(1));

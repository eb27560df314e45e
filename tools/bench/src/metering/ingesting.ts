import type { BusRecord } from '@weir/bus';
import { USAGE_TOPIC, type Usage } from '@weir/contracts';
import { systemClock, type TenantId } from '@weir/kernel';
import { KeptMonths, UsageConsumer, UsageLedger } from '@weir/metering';
import type { Side } from '../bench';
import { batches } from './batches';
import type { Database } from './database';
import { take, usageOf } from './records';

/** Batches of two partitions at once, as a consumer of several has them. */
const PARTITIONS = 2;
/** Prepared for a turn: the fetcher makes them, not the intake. */
const PREPARED = 250_000;

/** All records of one tenant: each batch is one transaction. From the bytes that the bus hands over to what is counted. */
export function ingestingOne(database: Database, { batch, against }: { batch: number; against: string }): Side {
  const consumer = new UsageConsumer(new UsageLedger(database.work, systemClock), new KeptMonths(systemClock, 25));
  let tenant: TenantId;
  let prepared: BusRecord[][];
  return {
    name: 'intake, one tenant',
    against,
    async before() {
      [tenant] = (await database.newTenants(1)) as [TenantId];
      const stream = usageOf(tenant);
      prepared = Array.from({ length: PREPARED / batch }, () => toRecords(take(stream, batch)));
      await database.settle();
    },
    run: (seconds) =>
      batches(seconds, PARTITIONS, async () => {
        const next = prepared.pop();
        await consumer.ingest(next ?? []);
        return next?.length ?? 0;
      }),
    async check() {
      const taken = (PREPARED / batch - prepared.length) * batch;
      const { rows } = await database.work.inTenant(tenant, (sql) =>
        sql.query<{ rows: number; charged: number; sums: number }>(
          `select count(*)::int as rows, sum(charged_credits) filter (where kind in ('served', 'settled'))::int as charged, (select sum(charged_credits)::int from usage_daily) as sums from usage_events`,
        ),
      );
      if (rows[0]?.rows !== taken || rows[0].charged !== rows[0].sums) throw new Error(`of ${taken} records: ${JSON.stringify(rows[0])}`);
    },
  };
}

/** One record of each of so many tenants a batch: each is a transaction in another schema. An operation is a transaction. */
export function ingestingMany(database: Database, { tenants, against }: { tenants: number; against: string }): Side {
  const consumer = new UsageConsumer(new UsageLedger(database.work, systemClock), new KeptMonths(systemClock, 25));
  let streams: ReturnType<typeof usageOf>[] | undefined;
  return {
    name: `intake, a batch over ${tenants} schemas`,
    against,
    async before() {
      streams ??= (await database.newTenants(tenants)).map(usageOf);
      await database.settle();
    },
    run: async () => {
      const records = (streams ?? []).flatMap((stream) => take(stream, 1));
      const begun = performance.now();
      await consumer.ingest(toRecords(records));
      const seconds = (performance.now() - begun) / 1_000;
      return { operations: records.length, seconds, figures: { 'ms a batch': seconds * 1_000 } };
    },
  };
}

const toRecords = (records: readonly Usage[]): BusRecord[] =>
  records.map((record, offset) => ({
    topic: USAGE_TOPIC,
    partition: 0,
    offset: String(offset),
    key: `${record.tenantId}/${record.requestId}`,
    value: Buffer.from(JSON.stringify(record)),
    headers: { 'content-type': 'application/json' },
    timestamp: record.at,
  }));

import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { BusRecord } from '@weir/bus';
import { DEMAND_TOPIC, demand, type Demand } from '@weir/contracts';
import type { Clock, KeyId, TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import type { Sql, UnitOfWork } from '@weir/tenancy';

type ByLimit = Readonly<Record<string, number>>;

/** What one tenant asked of a key and got, over some minutes. */
export interface Asked {
  readonly tenantId: TenantId;
  readonly admitted: number;
  /** Calls by the limit that refused them. */
  readonly refused: ByLimit;
  /** Of the refused: those that were told for certain when they are admitted. */
  readonly promised: number;
  /** Calls that were held for a limit, and how long. */
  readonly waited: number;
  readonly waitedMs: number;
  readonly longestWaitMs: number;
  /** Calls that shadow policies would have refused, by limit. */
  readonly shadow: ByLimit;
}

interface AskedRow {
  tenant_id: TenantId;
  admitted: string;
  promised: string;
  waited: string;
  waited_ms: string;
  longest_wait_ms: string;
  refused: ByLimit;
  shadow: ByLimit;
}

const SWEEP_EVERY_MS = 60_000;

/** Demand of the last hours. What is older than the retention is neither kept nor counted, so a record that comes again after it does no harm. */
export class DemandProjection {
  private sweptAt = 0;

  constructor(
    private readonly work: UnitOfWork,
    private readonly clock: Clock,
    private readonly retentionMs: number,
  ) {}

  async add(records: readonly Demand[]): Promise<void> {
    const oldest = this.clock() - this.retentionMs;
    const fresh = records.filter(({ minute }) => minute >= oldest);
    await this.work.inControl(async (sql) => {
      await insert(sql, fresh);
      if (this.clock() - this.sweptAt < SWEEP_EVERY_MS) return;
      await sql.query('delete from demand where minute < $1', [oldest]);
      this.sweptAt = this.clock();
    });
  }

  /** By tenant, most admitted first; minutes from `from` on and before `to`, ms. */
  async askedOf(keyId: KeyId, from: number, to: number): Promise<Asked[]> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<AskedRow>(
        `with asked as (
           select * from demand where key_id = $1 and minute >= $2 and minute < $3
         ), by_limit as (
           select tenant_id, kind, r.key as name, sum(r.value::bigint) as calls
           from asked, lateral (values ('refused', refused), ('shadow', shadow)) as v (kind, counts), jsonb_each_text(counts) r
           group by 1, 2, 3
         ), named as (
           select tenant_id, kind, jsonb_object_agg(name, calls) as counts from by_limit group by 1, 2
         )
         select a.tenant_id, sum(admitted) as admitted, sum(promised) as promised, sum(waited) as waited, sum(waited_ms) as waited_ms,
                max(longest_wait_ms) as longest_wait_ms,
                coalesce((select counts from named n where n.tenant_id = a.tenant_id and kind = 'refused'), '{}') as refused,
                coalesce((select counts from named n where n.tenant_id = a.tenant_id and kind = 'shadow'), '{}') as shadow
         from asked a group by a.tenant_id order by sum(admitted) desc, a.tenant_id`,
        [keyId, from, to],
      ),
    );
    return rows.map((row) => ({
      tenantId: row.tenant_id,
      admitted: Number(row.admitted),
      refused: row.refused,
      promised: Number(row.promised),
      waited: Number(row.waited),
      waitedMs: Number(row.waited_ms),
      longestWaitMs: Number(row.longest_wait_ms),
      shadow: row.shadow,
    }));
  }

  /** What shadow policies would have refused of one tenant's calls, over all keys. */
  async shadowOf(tenantId: TenantId, from: number): Promise<ByLimit> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ name: string; calls: string }>(
        `select r.key as name, sum(r.value::bigint) as calls from demand, jsonb_each_text(shadow) r
         where tenant_id = $1 and minute >= $2 group by 1`,
        [tenantId, from],
      ),
    );
    return Object.fromEntries(rows.map(({ name, calls }) => [name, Number(calls)]));
  }
}

async function insert(sql: Sql, records: readonly Demand[]): Promise<void> {
  if (records.length === 0) return;
  await sql.query(
    `insert into demand (event_id, key_id, tenant_id, minute, admitted, refused, promised, waited, waited_ms, longest_wait_ms, shadow)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::jsonb[], $7::bigint[], $8::bigint[],
                          $9::bigint[], $10::bigint[], $11::jsonb[])
     on conflict (event_id) do nothing`,
    [
      records.map((record) => record.eventId),
      records.map((record) => record.keyId),
      records.map((record) => record.tenantId),
      records.map((record) => record.minute),
      records.map((record) => record.admitted),
      records.map((record) => JSON.stringify(record.refused)),
      records.map((record) => record.promised),
      records.map((record) => record.waited),
      records.map((record) => record.waitedMs),
      records.map((record) => record.longestWaitMs),
      records.map((record) => JSON.stringify(record.shadow)),
    ],
  );
}

@Controller()
export class DemandConsumer {
  constructor(private readonly projection: DemandProjection) {}

  @Consumes(DEMAND_TOPIC, 'rate-limiter.demand', { maxBatch: 500 })
  async onDemand(@Payload() records: readonly BusRecord[]): Promise<void> {
    await this.projection.add(records.map(({ value }) => demand.schema.parse(JSON.parse(value?.toString('utf8') ?? 'null'))));
  }
}

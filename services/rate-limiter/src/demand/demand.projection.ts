import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { BusRecord } from '@weir/bus';
import { DEMAND_TOPIC, demand, type Demand } from '@weir/contracts';
import type { Clock, KeyId, TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import type { Sql, UnitOfWork } from '@weir/tenancy';

/** What one tenant asked of a key and got, over some minutes. */
export interface Asked {
  readonly tenantId: TenantId;
  readonly admitted: number;
  /** Calls by the limit that refused them. */
  readonly refused: Readonly<Record<string, number>>;
  readonly waitedMs: number;
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
      sql.query<{ tenant_id: TenantId; admitted: string; waited_ms: string; refused: Record<string, number> }>(
        `with asked as (
           select tenant_id, admitted, waited_ms, refused from demand where key_id = $1 and minute >= $2 and minute < $3
         ), by_limit as (
           select tenant_id, r.key as name, sum(r.value::bigint) as calls from asked, jsonb_each_text(refused) r group by 1, 2
         )
         select tenant_id, sum(admitted) as admitted, sum(waited_ms) as waited_ms,
                coalesce((select jsonb_object_agg(name, calls) from by_limit b where b.tenant_id = a.tenant_id), '{}') as refused
         from asked a group by tenant_id order by sum(admitted) desc, tenant_id`,
        [keyId, from, to],
      ),
    );
    return rows.map((row) => ({
      tenantId: row.tenant_id,
      admitted: Number(row.admitted),
      refused: row.refused,
      waitedMs: Number(row.waited_ms),
    }));
  }
}

async function insert(sql: Sql, records: readonly Demand[]): Promise<void> {
  if (records.length === 0) return;
  await sql.query(
    `insert into demand (event_id, key_id, tenant_id, minute, admitted, refused, waited_ms)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::jsonb[], $7::bigint[])
     on conflict (event_id) do nothing`,
    [
      records.map((record) => record.eventId),
      records.map((record) => record.keyId),
      records.map((record) => record.tenantId),
      records.map((record) => record.minute),
      records.map((record) => record.admitted),
      records.map((record) => JSON.stringify(record.refused)),
      records.map((record) => record.waitedMs),
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

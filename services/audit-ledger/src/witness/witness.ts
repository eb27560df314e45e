import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { fromRecord, type BusRecord, type CloudEvent } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { AppError, type TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import type { UnitOfWork } from '@weir/tenancy';

/** The furthest that a log is known to have been. */
export interface WitnessedHead {
  readonly position: number;
  readonly eventId: string;
  /** hex; undefined when nobody said it. */
  readonly chainHash: string | undefined;
  /** ms */
  readonly at: number;
}

/** Heads of the logs as the bus showed them: kept apart from the logs, and only ever moved forward. */
export class Witness {
  constructor(private readonly work: UnitOfWork) {}

  async see(events: readonly CloudEvent[]): Promise<void> {
    const heads = new Map<string, CloudEvent>();
    for (const event of events) if (event.position > (heads.get(event.tenantId)?.position ?? 0)) heads.set(event.tenantId, event);
    // sorted, so that two batches never wait for each other in a ring
    const rows = [...heads.values()].sort((a, b) => (a.tenantId < b.tenantId ? -1 : 1));
    await this.work.inControl((sql) =>
      sql.query(
        `insert into witnessed_heads as w (tenant_id, position, event_id, chain_hash, at)
         select tenant_id, position, event_id, decode(chain_hash, 'hex'), at
         from unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::bigint[]) as seen(tenant_id, position, event_id, chain_hash, at)
         on conflict (tenant_id) do update
           set position = excluded.position, event_id = excluded.event_id, chain_hash = excluded.chain_hash, at = excluded.at
           where excluded.position > w.position`,
        [rows.map((e) => e.tenantId), rows.map((e) => e.position), rows.map((e) => e.id), rows.map((e) => e.chainHash ?? null), rows.map((e) => Date.parse(e.time))],
      ),
    );
  }

  async headOf(log: TenantId): Promise<WitnessedHead | undefined> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ position: string; event_id: string; chain_hash: string | null; at: string }>(
        `select position, event_id, encode(chain_hash, 'hex') as chain_hash, at from witnessed_heads where tenant_id = $1`,
        [log],
      ),
    );
    const row = rows[0];
    return row && { position: Number(row.position), eventId: row.event_id, chainHash: row.chain_hash ?? undefined, at: Number(row.at) };
  }
}

const EVENT_TOPICS = TOPICS.map(({ name }) => name).filter((name) => name.endsWith('.events'));

@Controller()
export class WitnessConsumer {
  constructor(private readonly witness: Witness) {}

  @Consumes(EVENT_TOPICS, 'audit-ledger.witness', { maxBatch: 500 })
  async onEvents(@Payload() records: readonly BusRecord[]): Promise<void> {
    await this.witness.see(records.map(eventOf));
  }
}

function eventOf(record: BusRecord): CloudEvent {
  const event = fromRecord(record);
  if (event === undefined || event.position < 1 || event.tenantId === '') throw new AppError('not-an-event', 'invalid', 'The record is no event of a log.');
  return event;
}

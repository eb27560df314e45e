import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { WitnessedHead } from '@weir/audit-format';
import type { BusRecord, CloudEvent } from '@weir/bus';
import type { TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import type { UnitOfWork } from '@weir/tenancy';
import { EVENT_TOPICS, eventOf } from '../events/event-records';

interface Row {
  position: string;
  event_id: string;
  chain_hash: string | null;
  at: string;
}

const COLUMNS = `position, event_id, encode(chain_hash, 'hex') as chain_hash, at`;

/**
 * Heads of the logs as the bus showed them, apart from the logs: one a batch, and the first word on a position stands. All of them are kept,
 * since a log that was cut off and went on as another would otherwise be forgotten with the first new event.
 */
export class Witness {
  constructor(private readonly work: UnitOfWork) {}

  async see(events: readonly CloudEvent[]): Promise<void> {
    const heads = new Map<string, CloudEvent>();
    for (const event of events) if (event.position > (heads.get(event.tenantId)?.position ?? 0)) heads.set(event.tenantId, event);
    const rows = [...heads.values()];
    await this.work.inControl((sql) =>
      sql.query(
        `insert into witnessed_heads (tenant_id, position, event_id, chain_hash, at)
         select tenant_id, position, event_id, decode(chain_hash, 'hex'), at
         from unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::bigint[]) as seen(tenant_id, position, event_id, chain_hash, at)
         order by tenant_id on conflict do nothing`,
        [
          rows.map((e) => e.tenantId),
          rows.map((e) => e.position),
          rows.map((e) => e.id),
          rows.map((e) => e.chainHash ?? null),
          rows.map((e) => Date.parse(e.time)),
        ],
      ),
    );
  }

  /** The furthest that the log is known to have been. */
  async furthest(log: TenantId): Promise<WitnessedHead | undefined> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<Row>(`select ${COLUMNS} from witnessed_heads where tenant_id = $1 order by position desc limit 1`, [log]),
    );
    return rows.map(toHead)[0];
  }

  /** Those from a position to another, both inclusive, in order. */
  async between(log: TenantId, from: number, to: number): Promise<WitnessedHead[]> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<Row>(
        `select ${COLUMNS} from witnessed_heads where tenant_id = $1 and position between $2 and $3 order by position`,
        [log, from, to],
      ),
    );
    return rows.map(toHead);
  }
}

const toHead = (row: Row): WitnessedHead => ({
  position: Number(row.position),
  eventId: row.event_id,
  chainHash: row.chain_hash ?? undefined,
  at: Number(row.at),
});

@Controller()
export class WitnessConsumer {
  constructor(private readonly witness: Witness) {}

  @Consumes(EVENT_TOPICS, 'audit-ledger.witness', { maxBatch: 500 })
  async onEvents(@Payload() records: readonly BusRecord[]): Promise<void> {
    await this.witness.see(records.map(eventOf));
  }
}

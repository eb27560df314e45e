import { hostname } from 'node:os';
import type { StoredEvent } from '@weir/audit-format';
import { EVENTS } from '@weir/contracts';
import { newUuid, sleep, type TenantId } from '@weir/kernel';
import { toRecord, type Bus, type OutgoingRecord } from '@weir/bus';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { readEvents } from './event-log';

export interface RelayOptions {
  readonly work: UnitOfWork;
  readonly bus: Bus;
  readonly onError: (error: Error, tenant?: TenantId) => void;
  /** ms between looks when nothing is new. The look is one index scan of a table that is empty then. */
  readonly idleMs?: number;
  readonly batch?: number;
  readonly leaseMs?: number;
}

export interface Relay {
  stop(): Promise<void>;
  /** Tenants with something unpublished. */
  backlog(): Promise<number>;
}

interface Lease {
  readonly tenant: TenantId;
  readonly mark: string;
  readonly position: number;
  readonly stateSeq: number;
  readonly epoch: string;
}

/**
 * Publishes logs: for each tenant with news, its events in order, then what its state topics shall say. A tenant is leased to one
 * relay at a time; the epoch refuses the checkpoint of one whose lease has passed. Published twice after a crash, never skipped:
 * the ids are those of the log.
 */
export function startRelay({ work, bus, onError, idleMs = 25, batch = 500, leaseMs = 10_000 }: RelayOptions): Relay {
  const holder = `${hostname()}/${process.pid}/${newUuid()}`;
  const stopping = new AbortController();

  async function publish(lease: Lease): Promise<void> {
    const { events, states } = await work.inTenant(lease.tenant, async (sql) => ({
      events: await readEvents(sql, lease.tenant, { after: lease.position, limit: batch }),
      states: await readStates(sql, lease, batch),
    }));
    await bus.publish([...events.map(toOutgoing), ...states.map((state) => stateRecord(lease.tenant, state))]);
    await work.inControl((sql) =>
      checkpoint(sql, lease, {
        position: events.at(-1)?.position ?? lease.position,
        stateSeq: states.at(-1) === undefined ? lease.stateSeq : Number(states.at(-1)?.seq),
        drained: events.length < batch && states.length < batch,
      }),
    );
  }

  async function run(): Promise<void> {
    let pauseMs = idleMs;
    while (!stopping.signal.aborted) {
      try {
        const leases = await work.inControl((sql) => takeLeases(sql, holder, leaseMs));
        await Promise.all(leases.map((lease) => publish(lease).catch((error: Error) => failed(error, lease))));
        pauseMs = leases.length > 0 ? 0 : idleMs;
      } catch (error) {
        onError(error as Error);
        pauseMs = Math.min(Math.max(pauseMs, idleMs) * 2, 5_000);
      }
      if (pauseMs > 0) await sleep(pauseMs, stopping.signal);
    }
    await work.inControl((sql) => sql.query('update weir.relay_checkpoints set lease_until = now() where holder = $1', [holder])).catch(onError);
  }

  async function failed(error: Error, lease: Lease): Promise<void> {
    onError(error, lease.tenant);
    // the lease stays, so that a log that cannot be published is tried again after it and does not spin
    await sleep(200, stopping.signal);
  }

  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
    backlog: async () => {
      const { rows } = await work.inControl((sql) => sql.query<{ n: string }>('select count(*) as n from weir.news'));
      return Number(rows[0]?.n ?? 0);
    },
  };
}

// Rows locked by an append in progress are skipped: a stalled tenant delays no other.
async function takeLeases(sql: Sql, holder: string, leaseMs: number): Promise<Lease[]> {
  const { rows } = await sql.query<{ tenant_id: TenantId; mark: string; position: string; state_seq: string; epoch: string }>(
    `with fresh as (
       select n.tenant_id, n.mark from weir.news n
       left join weir.relay_checkpoints c using (tenant_id)
       where c.tenant_id is null or c.lease_until < now() or c.holder = $1
       order by n.mark limit 16 for update of n skip locked)
     insert into weir.relay_checkpoints as c (tenant_id, holder, lease_until, epoch)
     select tenant_id, $1, now() + $2 * interval '1 ms', 1 from fresh
     on conflict (tenant_id) do update
       set epoch = c.epoch + (c.holder <> excluded.holder)::int, holder = excluded.holder, lease_until = excluded.lease_until
     returning c.tenant_id, (select mark from fresh f where f.tenant_id = c.tenant_id) as mark, c.position, c.state_seq, c.epoch`,
    [holder, leaseMs],
  );
  return rows.map((row) => ({
    tenant: row.tenant_id,
    mark: row.mark,
    position: Number(row.position),
    stateSeq: Number(row.state_seq),
    epoch: row.epoch,
  }));
}

async function checkpoint(sql: Sql, lease: Lease, to: { position: number; stateSeq: number; drained: boolean }): Promise<void> {
  const { rowCount } = await sql.query(
    `update weir.relay_checkpoints set position = $3, state_seq = $4 where tenant_id = $1 and epoch = $2`,
    [lease.tenant, lease.epoch, to.position, to.stateSeq],
  );
  if (rowCount === 0) throw new Error('the lease has passed to another relay; its checkpoint stands');
  if (!to.drained) return;
  // an append since has another mark, or holds the row: then the news stays
  await sql.query(
    `delete from weir.news where tenant_id in (select tenant_id from weir.news where tenant_id = $1 and mark = $2 for update skip locked)`,
    [lease.tenant, lease.mark],
  );
}

interface StateRow {
  topic: string;
  key: string;
  version: string;
  body: string | null;
  seq: string;
}

async function readStates(sql: Sql, lease: Lease, limit: number): Promise<StateRow[]> {
  const { rows } = await sql.query<StateRow>(
    'select topic, key, version, body, seq from published_states where tenant_id = $1 and seq > $2 order by seq limit $3',
    [lease.tenant, lease.stateSeq, limit],
  );
  return rows;
}

export const stateRecord = (tenant: TenantId, row: StateRow): OutgoingRecord => ({
  topic: row.topic,
  key: row.key,
  value: row.body === null ? null : Buffer.from(row.body),
  headers: { 'weir-version': row.version, 'weir-tenant': tenant, 'content-type': 'application/json' },
});

function toOutgoing(event: StoredEvent): OutgoingRecord {
  const contract = EVENTS.get(event.type);
  if (contract === undefined) throw new TypeError(`no contract for the event ${event.type}`);
  return toRecord({
    id: event.eventId,
    type: event.type,
    source: `/weir/tenants/${event.tenantId}`,
    subject: event.stream,
    time: event.occurredAt,
    topic: contract.topic,
    key: `${event.tenantId}/${event.stream}`,
    data: Buffer.from(event.bytes),
    tenantId: event.tenantId,
    schemaVersion: event.schemaVersion,
    position: event.position,
    streamVersion: event.version,
    actor: `${event.actor.type}:${event.actor.id}`,
    causationId: event.causationId,
    correlationId: event.correlationId,
    chainHash: event.chainHash,
  });
}

import type { Snapshots, TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

/** A stream's state as a reducer computed it, at the event that it was taken at. */
export interface Snapshot<S = unknown> {
  readonly reducer: string;
  readonly version: number;
  readonly eventId: string;
  readonly state: S;
}

/** undefined as well when what is kept cannot be read: the log is there. */
export async function readSnapshot<S>(sql: Sql, tenant: TenantId, stream: string, { reducer, parse }: Snapshots<S>): Promise<Snapshot<S> | undefined> {
  const { rows } = await sql.query<{ version: number; event_id: string; state: string }>(
    'select version, event_id, state from log_snapshots where tenant_id = $1 and stream = $2 and owner = session_user and reducer = $3',
    [tenant, stream, reducer],
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  try {
    return { reducer, version: row.version, eventId: row.event_id, state: parse(JSON.parse(row.state)) };
  } catch {
    return undefined;
  }
}

/** Replaces the reducer's last one; what other reducers left is removed once no old process can be reading it. */
export async function keepSnapshot(sql: Sql, tenant: TenantId, stream: string, { reducer, version, eventId, state }: Snapshot): Promise<void> {
  await sql.query(
    `insert into log_snapshots (tenant_id, stream, owner, reducer, version, event_id, state) values ($1, $2, session_user, $3, $4, $5, $6)
     on conflict (tenant_id, stream, owner, reducer) do update
       set version = excluded.version, event_id = excluded.event_id, state = excluded.state, taken_at = excluded.taken_at`,
    [tenant, stream, reducer, version, eventId, JSON.stringify(state)],
  );
  await sql.query(
    `delete from log_snapshots
     where tenant_id = $1 and stream = $2 and owner = session_user and reducer <> $3 and taken_at < now() - interval '7 days'`,
    [tenant, stream, reducer],
  );
}

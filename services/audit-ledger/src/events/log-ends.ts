import type { LogHead } from '@weir/audit-format';
import { AppError, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

export interface LogEnds {
  /** What the head row says. */
  readonly head: LogHead;
  /** Position of the last event there is. */
  readonly last: number;
}

/** The head row and the last event in one statement, so from one snapshot: an append in between changes both. */
export async function readEnds(work: UnitOfWork, log: TenantId): Promise<LogEnds> {
  const { rows } = await work.inTenant(log, (sql) =>
    sql.query<{ position: string; chain_hash: string; last: string }>(
      `select position, encode(chain_hash, 'hex') as chain_hash,
              (select coalesce(max(position), 0) from events where tenant_id = $1) as last
       from log_heads where tenant_id = $1`,
      [log],
    ),
  );
  const row = rows[0];
  if (row === undefined)
    throw new AppError('log-without-head', 'internal', 'The log has no head row: it cannot be verified, nor appended to.');
  return { head: { position: Number(row.position), chainHash: row.chain_hash }, last: Number(row.last) };
}

import type { UpstreamSignal } from '@weir/contracts';
import { rfc3339, type KeyId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

/** The last 429 of the upstream to a key. */
export interface UpstreamRefusal {
  readonly at: string;
  readonly endpoint: string;
  readonly tenantId: string;
  /** As the upstream said it; null when it did not. */
  readonly retryAfterMs: number | null;
}

export class UpstreamRefusals {
  constructor(private readonly work: UnitOfWork) {}

  /** The latest wins, so that a signal may arrive again or late. */
  async remember(signals: readonly UpstreamSignal[]): Promise<void> {
    const refused = signals.filter(({ signal }) => signal === 'rate-limited');
    if (refused.length === 0) return;
    await this.work.inControl(async (sql) => {
      for (const { keyId, eventId, tenantId, endpoint, retryAfterMs, at } of refused) {
        await sql.query(
          `insert into upstream_refusals as r (key_id, event_id, tenant_id, endpoint, retry_after_ms, at) values ($1, $2, $3, $4, $5, $6)
           on conflict (key_id) do update
             set event_id = excluded.event_id, tenant_id = excluded.tenant_id, endpoint = excluded.endpoint,
                 retry_after_ms = excluded.retry_after_ms, at = excluded.at
             where excluded.at > r.at`,
          [keyId, eventId, tenantId, endpoint, retryAfterMs, at],
        );
      }
    });
  }

  async last(keyId: KeyId): Promise<UpstreamRefusal | null> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ tenant_id: string; endpoint: string; retry_after_ms: string | null; at: string }>(
        'select tenant_id, endpoint, retry_after_ms, at from upstream_refusals where key_id = $1',
        [keyId],
      ),
    );
    const row = rows[0];
    if (row === undefined) return null;
    return {
      at: rfc3339(Number(row.at)),
      endpoint: row.endpoint,
      tenantId: row.tenant_id,
      retryAfterMs: row.retry_after_ms === null ? null : Number(row.retry_after_ms),
    };
  }
}

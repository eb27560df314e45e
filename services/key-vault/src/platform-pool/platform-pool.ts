import type { Demand } from '@weir/contracts';
import { PLATFORM, rfc3339, type Clock, type KeyId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { registered, type KeyStatus } from '../upstream-key/upstream-key';
import type { UpstreamKeyLog } from '../upstream-key/upstream-key.log';
import { forecast, type Balance } from './forecast';

export interface Touched {
  readonly key: { readonly id: KeyId; readonly label: string; readonly state: KeyStatus };
  readonly since: string;
  readonly tenants: readonly {
    readonly tenantId: string;
    readonly lastUsedAt: string;
    /** Keys of the pool that the tenant has called with since, the latest first; empty: it has not called, or was refused. */
    readonly movedTo: readonly { readonly keyId: string; readonly lastUsedAt: string }[];
  }[];
  /** What their calls go to: usable keys of the pool. */
  readonly rest: readonly { readonly id: KeyId; readonly label: string; readonly weight: number }[];
}

export interface CreditsView {
  readonly keyId: KeyId;
  readonly left: number | null;
  readonly askedAt: string | null;
  readonly perDay: number | null;
  readonly endsAt: string | null;
}

const HOUR_MS = 3_600_000;
/** As long back as a forecast looks. */
export const BALANCES_KEPT_MS = 7 * 24 * HOUR_MS;

/** The platform's keys as one pool: who draws on which, and how long they last. */
export class PlatformPool {
  constructor(
    private readonly keyLog: UpstreamKeyLog,
    private readonly work: UnitOfWork,
    private readonly clock: Clock,
  ) {}

  /** Once or many times, in whatever order: the last minute of a tenant's calls with a key stays. */
  async used(demands: readonly Demand[]): Promise<void> {
    const served = demands.filter(({ admitted }) => admitted > 0);
    const ours = await this.ours([...new Set(served.map(({ keyId }) => keyId))]);
    const rows = served.filter(({ keyId }) => ours.has(keyId));
    if (rows.length === 0) return;
    await this.work.inControl((sql) =>
      sql.query(
        `insert into platform_key_use (key_id, tenant_id, last_minute)
         select key_id, tenant_id, max(minute) from unnest($1::text[], $2::text[], $3::bigint[]) as t(key_id, tenant_id, minute)
         group by key_id, tenant_id order by key_id, tenant_id
         on conflict (key_id, tenant_id) do update set last_minute = greatest(platform_key_use.last_minute, excluded.last_minute)`,
        [rows.map(({ keyId }) => keyId), rows.map(({ tenantId }) => tenantId), rows.map(({ minute }) => minute)],
      ),
    );
  }

  /** @throws AppError `not-found` */
  async touched(keyId: KeyId, hours: number): Promise<Touched> {
    const key = registered((await this.keyLog.load(PLATFORM, keyId)).state);
    const since = this.clock() - hours * HOUR_MS;
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ tenant_id: string; last_minute: string; others: { keyId: string; minute: number }[] }>(
        `select u.tenant_id, u.last_minute,
                coalesce((select jsonb_agg(jsonb_build_object('keyId', o.key_id, 'minute', o.last_minute) order by o.last_minute desc)
                          from platform_key_use o
                          where o.tenant_id = u.tenant_id and o.key_id <> u.key_id and o.last_minute >= u.last_minute), '[]') as others
         from platform_key_use u where u.key_id = $1 and u.last_minute >= $2 order by u.last_minute desc, u.tenant_id`,
        [keyId, since],
      ),
    );
    const pool = await this.keyLog.page(PLATFORM, { limit: 1_000, after: undefined });
    return {
      key: { id: keyId, label: key.label, state: key.status },
      since: rfc3339(since),
      tenants: rows.map(({ tenant_id: tenantId, last_minute, others }) => ({
        tenantId,
        lastUsedAt: rfc3339(Number(last_minute)),
        movedTo: others.map((other) => ({ keyId: other.keyId, lastUsedAt: rfc3339(other.minute) })),
      })),
      rest: pool.flatMap(({ state }) =>
        state.is === 'registered' && state.keyId !== keyId && state.status === 'usable'
          ? [{ id: state.keyId, label: state.label, weight: state.weight }]
          : [],
      ),
    };
  }

  /** @throws AppError `not-found` */
  async credits(keyId: KeyId): Promise<CreditsView> {
    registered((await this.keyLog.load(PLATFORM, keyId)).state);
    const balances = await this.balances(keyId);
    const found = forecast(balances);
    const asked = balances.at(-1)?.at;
    return {
      keyId,
      left: found?.left ?? null,
      askedAt: asked === undefined ? null : rfc3339(asked),
      perDay: found?.perDay ?? null,
      endsAt: found?.endsAt == null ? null : rfc3339(found.endsAt),
    };
  }

  async balances(keyId: KeyId): Promise<Balance[]> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ at: string; credits: string }>('select at, credits from platform_key_balances where key_id = $1 and at > $2 order by at', [
        keyId,
        this.clock() - BALANCES_KEPT_MS,
      ]),
    );
    return rows.map(({ at, credits }) => ({ at: Number(at), credits: Number(credits) }));
  }

  private async ours(keyIds: readonly string[]): Promise<ReadonlySet<string>> {
    const { rows } = await this.work.inTenant(PLATFORM, (sql) =>
      sql.query<{ key_id: string }>('select key_id from upstream_keys where tenant_id = $1 and key_id = any ($2)', [PLATFORM, keyIds]),
    );
    return new Set(rows.map(({ key_id }) => key_id));
  }
}

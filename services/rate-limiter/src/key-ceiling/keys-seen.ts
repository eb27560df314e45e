import type { StateTable } from '@weir/access';
import type { KeyCeilingState, TenantState } from '@weir/contracts';
import { PLATFORM, type Clock, type TenantId } from '@weir/kernel';
import { keyLimits, type LimiterStore, type Standing } from '@weir/limiter';
import { keyLimitView, type LimitView } from '../limit-policy/limit-view';

/** Looking takes no slot; the lease only has to be one that the limiter accepts. */
const LEASE_MS = 60_000;

/** Upstream keys as the limiter sees them now. */
export class KeysSeen {
  private readonly owned = new Map<TenantId, Set<KeyCeilingState>>();

  constructor(
    ceilings: StateTable<KeyCeilingState>,
    private readonly limiter: LimiterStore,
    private readonly clock: Clock,
  ) {
    ceilings.onChange((_, ceiling, before) => {
      if (before !== undefined) this.owned.get(before.owner)?.delete(before);
      if (ceiling !== undefined) this.owned.set(ceiling.owner, (this.owned.get(ceiling.owner) ?? new Set()).add(ceiling));
    });
  }

  standings(ceiling: KeyCeilingState): Promise<readonly Standing[]> {
    const limits = keyLimits({ ceiling, keyRate: ceiling.configured, leaseMs: LEASE_MS });
    return this.limiter.inspectKey({ keyId: ceiling.keyId, limits });
  }

  /** Those that a tenant calls with: of each upstream its own, or where its key mode has them the platform's, which it sees as one name. */
  async ofTenant({ id, keyMode }: TenantState): Promise<LimitView[]> {
    const own = [...(this.owned.get(id) ?? [])];
    const ofPlatform = [...(this.owned.get(PLATFORM) ?? [])].filter(
      ({ upstream }) => keyMode === 'shared' || (keyMode === 'hybrid' && !own.some((key) => key.upstream === upstream)),
    );
    const keys = keyMode === 'shared' ? ofPlatform : [...own, ...ofPlatform];
    const now = this.clock();
    const seen = await Promise.all(keys.map((ceiling) => this.standings(ceiling)));
    return keys.flatMap((ceiling, i) =>
      (seen[i] ?? []).map((standing) => keyLimitView(standing, ceiling, ceiling.owner === PLATFORM ? 'platform' : ceiling.keyId, now)),
    );
  }
}

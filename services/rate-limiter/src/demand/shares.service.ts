import type { StateTable } from '@weir/access';
import type { KeyCeilingState, PlanState, TenantState } from '@weir/contracts';
import { rfc3339, type Clock, type KeyId, type TenantId } from '@weir/kernel';
import { keyLimits, type LimiterStore, type Standing } from '@weir/limiter';
import { tiklive } from '@weir/upstream-catalog';
import { keyNotFound } from '../errors';
import type { UpstreamRefusal, UpstreamRefusals } from '../key-ceiling/upstream-refusals.projection';
import type { Asked, DemandProjection } from './demand.projection';
import { fairDivision, fairnessIndex, type Part } from './fairness';

const MINUTE_MS = 60_000;
const LEASE_MS = 60_000;
/** Refusals that mean 'wanted more of this key'; the others are the tenant's own limits. */
const OF_THE_KEY = ['upstream-key', 'upstream-key-concurrency', 'fair-share', 'upstream'];

export interface TenantShare extends Asked {
  readonly weight: number;
  /** Of what all were admitted, the weighted max-min fair division. */
  readonly fairShare: number;
}

/** Who holds what of a key. */
export interface Shares {
  readonly keyId: KeyId;
  readonly from: string;
  readonly to: string;
  readonly ceiling: Omit<KeyCeilingState, 'keyId'>;
  /** The key's limits as they stand now. */
  readonly now: readonly Standing[];
  readonly lastRefusal: UpstreamRefusal | null;
  readonly tenants: readonly TenantShare[];
  /** Jain's index, 1 = fair; null when nobody asked. */
  readonly fairness: number | null;
}

export interface ShareTables {
  readonly tenants: StateTable<TenantState>;
  readonly plans: StateTable<PlanState>;
  readonly ceilings: StateTable<KeyCeilingState>;
}

export class SharesService {
  constructor(
    private readonly demand: DemandProjection,
    private readonly refusals: UpstreamRefusals,
    private readonly tables: ShareTables,
    private readonly limiter: LimiterStore,
    private readonly clock: Clock,
  ) {}

  /** @param minutes how many back, the present one among them */
  async of(keyId: KeyId, minutes: number): Promise<Shares> {
    const ceiling = this.tables.ceilings.get(keyId);
    if (ceiling === undefined) throw keyNotFound();
    const to = (Math.floor(this.clock() / MINUTE_MS) + 1) * MINUTE_MS;
    const from = to - minutes * MINUTE_MS;
    const [asked, lastRefusal, now] = await Promise.all([
      this.demand.askedOf(keyId, from, to),
      this.refusals.last(keyId),
      this.limiter.inspectKey({ keyId, limits: keyLimits({ ceiling, keyRate: tiklive.keyRate, leaseMs: LEASE_MS }) }),
    ]);
    const parts = asked.map((each): Part => ({
      admitted: each.admitted,
      wanted: wanted(each),
      weight: this.weightOf(each.tenantId),
    }));
    const fair = fairDivision(
      parts,
      asked.reduce((sum, { admitted }) => sum + admitted, 0),
    );
    const { keyId: _, ...rest } = ceiling;
    return {
      keyId,
      from: rfc3339(from),
      to: rfc3339(to),
      ceiling: rest,
      now,
      lastRefusal,
      tenants: asked.map((each, i) => ({ ...each, weight: parts[i]?.weight ?? 1, fairShare: fair[i] ?? 0 })),
      fairness: fairnessIndex(parts),
    };
  }

  private weightOf(id: TenantId): number {
    const plan = this.tables.tenants.get(id)?.plan;
    return (plan && this.tables.plans.get(`${plan.id}@${plan.version}`)?.terms.weight) ?? 1;
  }
}

const wanted = ({ admitted, refused }: Asked): number => OF_THE_KEY.reduce((sum, name) => sum + (refused[name] ?? 0), admitted);

import type { StateTable } from '@weir/access';
import type { KeyCeilingState, PlanState, TenantState } from '@weir/contracts';
import { rfc3339, type Clock, type KeyId, type TenantId } from '@weir/kernel';
import type { Standing } from '@weir/limiter';
import { keyNotFound } from '../errors';
import type { KeysSeen } from '../key-ceiling/keys-seen';
import type { UpstreamRefusal, UpstreamRefusals } from '../key-ceiling/upstream-refusals.projection';
import type { Asked, DemandProjection } from './demand.projection';
import { fairDivision, fairnessIndex, type Part } from './fairness';

const MINUTE_MS = 60_000;
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
  /** ms that the longest-held call waited. */
  readonly longestWaitMs: number;
  /** Of the calls that the key refused, the share that was told for certain when to come back; null when it refused none. */
  readonly promised: number | null;
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
    private readonly keys: KeysSeen,
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
      this.keys.standings(ceiling),
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
      longestWaitMs: Math.max(0, ...asked.map(({ longestWaitMs }) => longestWaitMs)),
      promised: promisedShare(asked),
    };
  }

  private weightOf(id: TenantId): number {
    const plan = this.tables.tenants.get(id)?.plan;
    return (plan && this.tables.plans.get(`${plan.id}@${plan.version}`)?.terms.weight) ?? 1;
  }
}

const refusedByKey = ({ refused }: Asked): number => OF_THE_KEY.reduce((sum, name) => sum + (refused[name] ?? 0), 0);

const wanted = (asked: Asked): number => asked.admitted + refusedByKey(asked);

function promisedShare(asked: readonly Asked[]): number | null {
  const refused = asked.reduce((sum, each) => sum + refusedByKey(each), 0);
  return refused === 0 ? null : asked.reduce((sum, { promised }) => sum + promised, 0) / refused;
}

import { LIMIT_NAMES, type LimitName, type LimitOverride } from '@weir/contracts';
import { names } from '@weir/limiter';
import { notOfOneKind, rateOfNoBucket, unknownLimit } from '../errors';

type Kind = 'bucket' | 'credits' | 'slots';

const KINDS: Readonly<Record<(typeof LIMIT_NAMES)[number], Kind>> = {
  'tenant-bucket': 'bucket',
  'daily-quota': 'credits',
  'monthly-quota': 'credits',
  concurrency: 'slots',
};

/** The limits that there are: those of a tenant as a whole, and a bucket of each endpoint of each catalog. */
export class LimitNames {
  private readonly kinds: ReadonlyMap<LimitName, Kind>;

  /** @param endpoints ids, which differ over all catalogs */
  constructor(readonly endpoints: readonly string[]) {
    this.kinds = new Map([...LIMIT_NAMES.map((name) => [name, KINDS[name]] as const), ...endpoints.map((id) => [`endpoint:${id}`, 'bucket'] as const)]);
  }

  /**
   * An override's name covers limits that there are, of one kind where it says a number: calls, credits and slots are not the same.
   *
   * @throws AppError `unknown-limit`, `invalid-request`
   */
  assertCovered({ name, limit, refillPerSecond }: LimitOverride): void {
    const kinds = new Set([...this.kinds].filter(([one]) => names(name, one)).map(([, kind]) => kind));
    if (kinds.size === 0) throw unknownLimit(name);
    if (limit !== null && kinds.size > 1) throw notOfOneKind(name);
    if (refillPerSecond !== null && (limit === null || !kinds.has('bucket'))) throw rateOfNoBucket();
  }
}

/** @throws AppError `unknown-limit` for what can be no name or pattern */
export function limitName(text: string): string {
  if (!/^[a-z0-9:*-]{1,80}$/.test(text)) throw unknownLimit(text);
  return text;
}

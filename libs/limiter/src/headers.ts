import type { LimitName, Standing } from './port';

/** The units of draft-ietf-httpapi-ratelimit-headers-10, section on quota units; credits are Weir's own. */
const QUOTA_UNIT: Record<Standing['unit'], string> = {
  calls: '',
  credits: ';qu="credits"',
  slots: ';qu="concurrent-requests"',
};

/**
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10, structured fields of RFC 9651) with one item per
 * limit, and `X-RateLimit-*` as GitHub has it (Reset in epoch seconds) for the limit that is nearest to its end. No limits, no
 * headers.
 */
export function rateLimitHeaders(standings: readonly Standing[], nowMs: number): Record<string, string> {
  const nearest = nearestOf(standings);
  if (!nearest) return {};
  let policies = '';
  let currents = '';
  for (const standing of standings) {
    const first = policies === '';
    policies += first ? policy(standing) : `, ${policy(standing)}`;
    currents += first ? current(standing) : `, ${current(standing)}`;
  }
  return {
    'RateLimit-Policy': policies,
    RateLimit: currents,
    'X-RateLimit-Limit': whole(nearest.limit),
    'X-RateLimit-Remaining': whole(nearest.remaining),
    'X-RateLimit-Used': String(Math.ceil(nearest.used)),
    'X-RateLimit-Reset': String(Math.ceil((nowMs + nearest.resetMs) / 1000)),
    'X-RateLimit-Resource': nearest.name,
  };
}

/** The first of those with the least left; of equals, the one that takes longest. */
function nearestOf(standings: readonly Standing[]): Standing | undefined {
  let nearest = standings[0];
  for (const one of standings) {
    if (nearest === undefined) break;
    const nearer = share(one) - share(nearest) || nearest.resetMs - one.resetMs;
    if (nearer < 0) nearest = one;
  }
  return nearest;
}

/** The value of `Retry-After`: whole seconds, rounded up, so that the call is not too early. */
export const retryAfterSeconds = (retryAfterMs: number): number => Math.max(1, Math.ceil(retryAfterMs / 1000));

function policy({ name, limit, unit, policyWindow }: Standing): string {
  const last = lastPolicies.get(name);
  if (last?.limit === limit && last.unit === unit && last.policyWindow === policyWindow) return last.text;
  const text = `"${name}";q=${whole(limit)}${QUOTA_UNIT[unit]}${policyWindow ? `;w=${policyWindow}` : ''}`;
  lastPolicies.set(name, { limit, unit, policyWindow, text });
  return text;
}

/** Of each limit: most tenants of a plan have the same. */
const lastPolicies = new Map<LimitName, Pick<Standing, 'limit' | 'unit' | 'policyWindow'> & { readonly text: string }>();

const current = ({ name, remaining, unit, resetMs }: Standing): string =>
  `"${name}";r=${whole(remaining)}${unit === 'slots' ? '' : `;t=${Math.ceil(resetMs / 1000)}`}`;

/** Integers alone: a fraction of a credit that remains is not promised. */
const whole = (value: number): string => String(Math.floor(value));

const share = ({ remaining, limit }: Standing): number => (limit > 0 ? remaining / limit : 0);

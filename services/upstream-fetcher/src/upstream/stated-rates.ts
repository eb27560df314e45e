/**
 * Calls a minute that a header grants: `RateLimit-Policy: "burst";q=100;w=60` (draft-ietf-httpapi-ratelimit-headers-10), of several the
 * slowest; or a bare number as in `X-RateLimit-Limit: 200`, which the upstream counts by the minute. Undefined for anything else.
 */
export function readStatedRate(header: string): number | undefined {
  if (/^\d{1,9}$/.test(header)) return Number(header) || undefined;
  const rates = header.split(',').flatMap((item) => {
    const quota = /;\s*q=(\d{1,9})\b/.exec(item)?.[1];
    const seconds = /;\s*w=(\d{1,9})\b/.exec(item)?.[1];
    const rate = (Number(quota) * 60) / Number(seconds);
    return rate > 0 && Number.isFinite(rate) ? [rate] : [];
  });
  return rates.length === 0 ? undefined : Math.min(...rates);
}

/** What the upstream's headers grant each key; most answers say nothing, or the same as the last one. */
export interface StatedRates {
  /** Calls a minute, where that is another number than before. */
  news(keyId: string, header: string | undefined): number | undefined;
}

export function statedRates(): StatedRates {
  const last = new Map<string, { readonly header: string; readonly perMinute: number | undefined }>();
  return {
    news(keyId, header) {
      if (header === undefined) return undefined;
      const before = last.get(keyId);
      if (before?.header === header) return undefined;
      const perMinute = readStatedRate(header);
      last.set(keyId, { header, perMinute });
      return perMinute === before?.perMinute ? undefined : perMinute;
    },
  };
}

import type { LimitOverride } from '@weir/contracts';

/** Those that have not ended: an override ends at its expiry, whether or not anybody removes it. */
export const activeOverrides = (overrides: readonly LimitOverride[], now: number): readonly LimitOverride[] =>
  overrides.filter(({ expiresAt }) => expiresAt === null || expiresAt > now);

/** Whether a pattern, in which `*` stands for any characters, names the limit. */
export function names(pattern: string, limit: string): boolean {
  if (!pattern.includes('*')) return pattern === limit;
  // a pattern holds letters, digits, colons and dashes besides: nothing that a regular expression knows
  return new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(limit);
}

/** The override that holds for a limit: the one that says its name, else the pattern that says most of it. */
export function overrideOf(active: readonly LimitOverride[], limit: string, shadow: boolean): LimitOverride | undefined {
  let closest: LimitOverride | undefined;
  for (const override of active) {
    if (override.shadow !== shadow || !names(override.name, limit)) continue;
    if (closest === undefined || closer(override.name, closest.name)) closest = override;
  }
  return closest;
}

function closer(a: string, b: string): boolean {
  if (a.includes('*') !== b.includes('*')) return b.includes('*');
  const said = (pattern: string) => pattern.replaceAll('*', '').length;
  return said(a) === said(b) ? a < b : said(a) > said(b);
}

import type { Catalog, Endpoint } from './catalog';
import { compileField, mismatches, type Mismatch } from './shape';

/** What the upstream takes for one answer of that status. A body that says 'out of credits' takes none: ask that first. */
export const creditsFor = (endpoint: Endpoint, status: number): number =>
  endpoint.chargedStatuses.includes(status) ? endpoint.credits : 0;

/** How a parsed body of status 200 differs from what the endpoint promises; an empty list when it does not. */
export const checkShape = (endpoint: Endpoint, body: unknown): readonly Mismatch[] => mismatches(endpoint.shape, body);

/** The scopes that an answer shows its key to have. */
export function provenScopes(endpoint: Endpoint, body: unknown): readonly string[] {
  if (endpoint.proves === undefined) return [];
  const lacking = mismatches(
    endpoint.proves.fields.map((path) => compileField(path, 'string')),
    body,
  );
  return lacking.length === 0 ? [endpoint.proves.scope] : [];
}

/**
 * Whether an answer says that the key's credits are used up: by its status, or, in a body of status 200, by one of a few
 * top-level texts. Only those members are read, so a video called 'out of credits' depletes nobody's key.
 */
export function saysOutOfCredits(catalog: Catalog, status: number, body: unknown): boolean {
  const { statuses, members, phrases } = catalog.outOfCredits;
  if (statuses.includes(status)) return true;
  if (status !== 200 || typeof body !== 'object' || body === null) return false;
  return members.some((member) => {
    const text = Object.hasOwn(body, member) ? (body as Record<string, unknown>)[member] : undefined;
    return typeof text === 'string' && phrases.some((phrase) => text.toLowerCase().includes(phrase));
  });
}

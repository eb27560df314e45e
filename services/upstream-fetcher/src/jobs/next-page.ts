import type { Endpoint } from '@weir/upstream-catalog';

/** The canonical query of the page after an answer, by the catalog's paging; undefined: it was the last, or the answer does not say. */
export function nextPage({ paging, parameters }: Endpoint, query: string, parsed: unknown): string | undefined {
  if (paging.scheme === 'none' || typeof parsed !== 'object' || parsed === null) return undefined;
  const body = parsed as Record<string, unknown>;
  const next = body[paging.field];
  if (body[paging.hasMoreField] !== true || (typeof next !== 'string' && typeof next !== 'number')) return undefined;
  const given = new URLSearchParams(query);
  if (given.get(paging.parameter) === String(next)) return undefined;
  given.set(paging.parameter, String(next));
  return parameters
    .flatMap(({ name }) => {
      const value = given.get(name);
      return value === null ? [] : [`${name}=${encodeURIComponent(value)}`];
    })
    .join('&');
}

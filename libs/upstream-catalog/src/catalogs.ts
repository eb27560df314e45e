import { AppError } from '@weir/kernel';
import { readCatalog, type Catalog, type Endpoint } from './catalog';
import type { CatalogDocument } from './document';

/**
 * The catalogs of one installation: the first is the one that is meant where none is named. Ids, base paths and ids of endpoints are each
 * one catalog's, since usage, limits and the cache name an endpoint by its id alone.
 *
 * @param further as JSON, each with the name of where it stands
 * @throws AppError `catalog-invalid`, which names the place
 */
export function readCatalogs(first: Catalog, further: readonly { readonly place: string; readonly text: string }[]): readonly Catalog[] {
  const catalogs = [first, ...further.map(({ place, text }) => readText(place, text))];
  unique('catalog', catalogs.map(({ id }) => id));
  unique('base path', catalogs.map(({ basePath }) => basePath));
  unique('endpoint', catalogs.flatMap(({ endpoints }) => endpoints.map(({ id }) => id)));
  return catalogs;
}

/** An endpoint, with the upstream that it is one of. */
export interface Offered {
  readonly catalog: Catalog;
  readonly endpoint: Endpoint;
}

/** What can be asked of all upstreams together, by the endpoints' ids. */
export const offeredBy = (catalogs: readonly Catalog[]): ReadonlyMap<string, Offered> =>
  new Map(catalogs.flatMap((catalog) => catalog.endpoints.map((endpoint) => [endpoint.id, { catalog, endpoint }])));

function readText(place: string, text: string): Catalog {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw broken(`${place} is not JSON: ${(error as Error).message}`);
  }
  try {
    return readCatalog(document as CatalogDocument);
  } catch (error) {
    throw broken(`${place}: ${(error as Error).message}`);
  }
}

function unique(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw broken(`the ${what} '${twice}' stands in two of them`);
}

const broken = (why: string): AppError => new AppError('catalog-invalid', 'internal', `The catalogs are wrong: ${why}.`);

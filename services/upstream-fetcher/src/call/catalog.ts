import { checkParameters, findEndpoint, type Catalog, type Endpoint, type Query } from '@weir/upstream-catalog';
import { invalidParameter, unknownEndpoint } from '../errors';

/** What is asked: an endpoint, and its parameters in the one text that equal calls share. */
export interface Asked {
  readonly catalog: Catalog;
  readonly endpoint: Endpoint;
  readonly query: string;
}

/**
 * Step 2: the endpoint and its price; parameters checked, so that nothing unknown or forged goes upstream.
 *
 * @param path below the base path, with its leading slash
 * @throws AppError `unknown-endpoint`, `invalid-parameter`
 */
export function recognise(catalog: Catalog, path: string, query: Query): Asked {
  const endpoint = findEndpoint(catalog, path);
  if (endpoint === undefined) throw unknownEndpoint(catalog.basePath);
  const checked = checkParameters(endpoint, query);
  if (!checked.ok) throw invalidParameter(checked.parameter, checked.problem);
  return { catalog, endpoint, query: checked.canonical };
}

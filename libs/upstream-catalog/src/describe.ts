import type { Catalog, Endpoint } from './catalog';
import type { Paging, Parameter } from './document';

/** The catalog as `GET /v1/catalog` shows it: what a caller may ask, what it costs, how long it is kept, what is a guess. */
export interface CatalogDescription {
  readonly id: string;
  readonly title: string;
  readonly basePath: string;
  readonly keyRate: { readonly perMinute: number; readonly burst: number };
  readonly scopes: readonly string[];
  readonly assumed: readonly string[];
  readonly endpoints: readonly EndpointDescription[];
}

export interface EndpointDescription {
  readonly id: string;
  readonly path: string;
  readonly category: string;
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly credits: number;
  readonly chargedStatuses: readonly number[];
  readonly lifetimeSeconds: number;
  readonly snapshotLifetimeSeconds?: number;
  readonly paging: Paging;
  readonly personal: readonly string[];
  readonly requiredFields: Readonly<Record<string, string>>;
  readonly usualCron?: string;
  readonly needsScope?: string;
  readonly proves?: { readonly scope: string; readonly fields: readonly string[] };
  readonly assumed: readonly string[];
}

export const describe = (catalog: Catalog): CatalogDescription => ({
  id: catalog.id,
  title: catalog.title,
  basePath: catalog.basePath,
  keyRate: catalog.keyRate,
  scopes: catalog.scopes,
  assumed: catalog.assumed,
  endpoints: catalog.endpoints.map((endpoint) => describeEndpoint(catalog.basePath, endpoint)),
});

function describeEndpoint(basePath: string, endpoint: Endpoint): EndpointDescription {
  const { snapshotLifetimeSeconds, usualCron, needsScope, proves, parameters, shape, known: _known, persons: _persons, path, ...plain } = endpoint;
  return {
    ...plain,
    path: `${basePath}${path}`,
    parameters: parameters.map((p) => p.declared),
    requiredFields: Object.fromEntries(shape.map((field) => [field.path, field.kind])),
    ...(snapshotLifetimeSeconds === undefined ? {} : { snapshotLifetimeSeconds }),
    ...(usualCron === undefined ? {} : { usualCron }),
    ...(needsScope === undefined ? {} : { needsScope }),
    ...(proves === undefined ? {} : { proves }),
  };
}

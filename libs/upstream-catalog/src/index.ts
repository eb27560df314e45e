export { findEndpoint, readCatalog, type Catalog, type Endpoint, type OwnCall } from './catalog';
export { offeredBy, readCatalogs, type Offered } from './catalogs';
export { checkParameters, type CheckedParameters, type CompiledParameter, type Query } from './parameters';
export { checkShape, creditsFor, provenScopes, saysOutOfCredits } from './answers';
export { differences, type Difference, type KnownShape } from './drift';
export { type Mismatch } from './shape';
export { describe, type CatalogDescription, type EndpointDescription } from './describe';
export { type CatalogDocument, type Paging, type Parameter } from './document';
export { tiklive } from './tiklive';

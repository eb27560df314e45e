import { AppError } from '@weir/kernel';
import { type CatalogDocument, catalogDocument, type EndpointDocument, type Paging, type Parameter, type PersonKind } from './document';
import { checkParameters, compileParameter, type CompiledParameter } from './parameters';
import { compileKnown, type KnownShape } from './drift';
import { compileField, type Field } from './shape';

/** One upstream, ready for use: guesses resolved to plain values, lists indexed, patterns compiled. Immutable. */
export interface Catalog {
  readonly id: string;
  readonly title: string;
  readonly basePath: string;
  readonly origin: string;
  readonly auth: { readonly header: string };
  readonly keyRate: { readonly perMinute: number; readonly burst: number };
  readonly scopes: readonly string[];
  readonly testCall: OwnCall;
  readonly scopeProbes: readonly OwnCall[];
  readonly balance: { readonly path: string; readonly field: string };
  readonly outOfCredits: {
    readonly statuses: readonly number[];
    readonly members: readonly string[];
    readonly phrases: readonly string[];
  };
  readonly endpoints: readonly Endpoint[];
  /** Facts of the upstream as a whole that are guesses. */
  readonly assumed: readonly string[];
  /** By path, with and without its closing slash. */
  readonly byPath: ReadonlyMap<string, Endpoint>;
}

/** A call that Weir makes on its own account. */
export interface OwnCall {
  readonly endpoint: Endpoint;
  readonly query: Readonly<Record<string, string>>;
}

/** How an upstream names persons. */
export interface Persons {
  /** By the names of parameters and fields. */
  readonly kinds: ReadonlyMap<string, PersonKind>;
  /** The user name in the path of an address, as the first group. */
  readonly addressPath: RegExp | undefined;
}

export interface Endpoint {
  readonly id: string;
  readonly path: string;
  readonly category: string;
  readonly summary: string;
  /** Sorted by name: the order of the canonical query. */
  readonly parameters: readonly CompiledParameter[];
  /** What the upstream takes for one call whose status is in `chargedStatuses`. */
  readonly credits: number;
  readonly chargedStatuses: readonly number[];
  readonly lifetimeSeconds: number;
  readonly snapshotLifetimeSeconds: number | undefined;
  readonly paging: Paging;
  readonly personal: readonly string[];
  readonly persons: Persons;
  readonly shape: readonly Field[];
  /** Undefined: beyond its shape nothing is known of an answer. */
  readonly known: KnownShape | undefined;
  /** When a refresh schedule comes that says nothing else; five fields of cron. */
  readonly usualCron: string | undefined;
  readonly needsScope: string | undefined;
  readonly proves: { readonly scope: string; readonly fields: readonly string[] } | undefined;
  /** Names of the facts above that are guesses: `credits`, `parameters.userid`, or `endpoint` for its very existence. */
  readonly assumed: readonly string[];
}

/**
 * Parses a document and checks that it agrees with itself, so that a bad catalog ends the process at its start.
 *
 * @throws AppError `catalog-invalid` that names the place.
 */
export function readCatalog(document: CatalogDocument): Catalog {
  const parsed = catalogDocument.safeParse(document);
  if (!parsed.success) throw broken(parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '));
  const doc = parsed.data;

  const { names = {}, addressPath } = doc.persons ?? {};
  const persons: Persons = { kinds: new Map(Object.entries(names)), addressPath: addressPath === undefined ? undefined : new RegExp(addressPath) };
  const endpoints = doc.endpoints.map((e) => resolveEndpoint(e, doc.scopes, persons));
  const byId = indexBy(endpoints, (e) => e.id);
  const byPath = indexBy(endpoints, (e) => e.path);
  for (const e of endpoints) byPath.set(e.path.slice(0, -1), e);

  const guesses = new Guesses();
  const scopeProbes = guesses.value('scopeProbes', doc.scopeProbes).map((call) => ownCall('scopeProbes', byId, call));
  const blind = scopeProbes.find(({ endpoint }) => endpoint.proves === undefined);
  if (blind !== undefined) throw broken(`scopeProbes: ${blind.endpoint.id} proves no scope`);

  return {
    id: doc.id,
    title: doc.title,
    basePath: doc.basePath,
    origin: doc.origin,
    auth: doc.auth,
    keyRate: doc.keyRate,
    scopes: doc.scopes,
    testCall: ownCall('testCall', byId, doc.testCall),
    scopeProbes,
    balance: guesses.value('balance', doc.balance),
    outOfCredits: guesses.value('outOfCredits', doc.outOfCredits),
    endpoints,
    assumed: guesses.names,
    byPath,
  };
}

/** The endpoint at `path` below the base path, with or without its closing slash; O(1). */
export const findEndpoint = (catalog: Catalog, path: string): Endpoint | undefined => catalog.byPath.get(path);

function ownCall(where: string, byId: ReadonlyMap<string, Endpoint>, call: { endpoint: string; query: Record<string, string> }): OwnCall {
  const endpoint = byId.get(call.endpoint);
  if (endpoint === undefined) throw broken(`${where}: there is no endpoint '${call.endpoint}'`);
  const query = checkParameters(endpoint, call.query);
  if (!query.ok) throw broken(`${where}: ${query.parameter} ${query.problem}`);
  return { endpoint, query: query.values };
}

function resolveEndpoint(doc: EndpointDocument, scopes: readonly string[], persons: Persons): Endpoint {
  const guesses = new Guesses(doc.assumed ? ['endpoint'] : []);
  for (const p of doc.parameters) if (p.assumed) guesses.names.push(`parameters.${p.name}`);
  indexBy(doc.parameters, (p) => p.name);

  const paging = guesses.value('paging', doc.paging);
  if (paging.scheme !== 'none' && !doc.parameters.some((p) => p.name === paging.parameter))
    throw broken(`${doc.id}: paging by '${paging.parameter}', which is not a parameter`);

  const needsScope = doc.needsScope === undefined ? undefined : guesses.value('needsScope', doc.needsScope);
  for (const scope of [needsScope, doc.proves?.scope])
    if (scope !== undefined && !scopes.includes(scope)) throw broken(`${doc.id}: there is no scope '${scope}'`);

  return {
    id: doc.id,
    path: doc.path,
    category: doc.category,
    summary: doc.summary,
    parameters: doc.parameters.toSorted(byName).map((p) => withCheckedDefault(doc.id, p)),
    credits: guesses.value('credits', doc.credits),
    chargedStatuses: guesses.value('chargedStatuses', doc.chargedStatuses),
    lifetimeSeconds: guesses.value('lifetimeSeconds', doc.lifetimeSeconds),
    snapshotLifetimeSeconds: doc.snapshotLifetimeSeconds,
    paging,
    personal: doc.personal,
    persons,
    shape: Object.entries(doc.shape).map(([path, kind]) => compileField(path, kind)),
    known: doc.known && compileKnown({ ...doc.shape, ...doc.known.always }, doc.known.sometimes),
    usualCron: doc.usualCron,
    needsScope,
    proves: doc.proves,
    assumed: guesses.names,
  };
}

function withCheckedDefault(endpointId: string, parameter: Parameter): CompiledParameter {
  const compiled = compileParameter(parameter);
  const problem = compiled.fallback === undefined ? undefined : compiled.problemOf(compiled.fallback);
  if (problem !== undefined) throw broken(`${endpointId}: the default of '${parameter.name}' ${problem}`);
  return compiled;
}

/** Unwraps `{ value, assumed: true }` and remembers the name. */
class Guesses {
  constructor(readonly names: string[] = []) {}

  value<T>(name: string, stated: T | { value: T; assumed: true }): T {
    if (typeof stated !== 'object' || stated === null || !('assumed' in stated)) return stated as T;
    this.names.push(name);
    return stated.value;
  }
}

function indexBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T> {
  const index = new Map(items.map((item) => [key(item), item]));
  if (index.size !== items.length)
    throw broken(`'${items.map(key).find((k, i, all) => all.indexOf(k) !== i)}' stands there twice`);
  return index;
}

const byName = (a: Parameter, b: Parameter): number => (a.name < b.name ? -1 : 1);
const broken = (why: string): AppError => new AppError('catalog-invalid', 'internal', `The upstream catalog is wrong: ${why}.`);

import { z } from 'zod';

/**
 * A catalog as it is written down: plain data, one document per upstream. A value that nobody has confirmed against the real
 * upstream is wrapped, `{ value, assumed: true }`, where it stands, so that a guess can never be mistaken for a fact.
 */
const stated = <S extends z.ZodType>(schema: S) => z.union([z.strictObject({ value: schema, assumed: z.literal(true) }), schema]);

const name = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/);
const slug = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/);
const assumed = z.literal(true).optional();

/** A regular expression in full: it must match the whole value, so it is anchored here and not by each author. */
const pattern = z.string().refine(compiles, 'not a regular expression');

const parameter = z.discriminatedUnion('type', [
  z.strictObject({
    name,
    type: z.literal('text'),
    required: z.boolean(),
    pattern,
    maxLength: z.number().int().positive(),
    default: z.string().optional(),
    personal: z.boolean(),
    assumed,
  }),
  z.strictObject({
    name,
    type: z.literal('integer'),
    required: z.boolean(),
    minimum: z.number().int().nonnegative(),
    maximum: z.number().int().positive(),
    default: z.number().int().optional(),
    personal: z.boolean(),
    assumed,
  }),
  z.strictObject({
    name,
    type: z.literal('url'),
    required: z.boolean(),
    /** Exact host names, lower case. A suffix rule would let in whatever is registered beside them. */
    hosts: z.array(z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/)).min(1),
    maxLength: z.number().int().positive(),
    personal: z.boolean(),
    assumed,
  }),
]);

const fieldPath = z.string().regex(/^[A-Za-z_]\w*(\[\])?(\.[A-Za-z_]\w*(\[\])?)*$/);
const fieldKind = z.enum(['string', 'integer', 'number', 'boolean', 'object', 'array', 'scalar']);

const paging = z.discriminatedUnion('scheme', [
  z.strictObject({ scheme: z.literal('none') }),
  z.strictObject({
    scheme: z.enum(['cursor', 'time']),
    /** The parameter that asks for a page, and the field of an answer that holds its value for the next one. */
    parameter: name,
    field: fieldPath,
    hasMoreField: fieldPath,
    itemsField: fieldPath,
  }),
]);

const endpoint = z.strictObject({
  id: slug,
  path: z.string().regex(/^\/([a-z0-9-]+\/)+$/),
  category: slug,
  summary: z.string().min(1),
  assumed,
  parameters: z.array(parameter),
  credits: stated(z.number().int().nonnegative()),
  chargedStatuses: stated(z.array(z.number().int().min(200).max(599))),
  /** How long a live call's answer may be served again; 0 = never kept, by anyone. */
  lifetimeSeconds: stated(z.number().int().nonnegative()),
  /** How old a stored snapshot may be where its reader is a dashboard; absent where nothing is snapshotted. */
  snapshotLifetimeSeconds: z.number().int().positive().optional(),
  paging: stated(paging),
  /** Fields of an answer that are about a person. */
  personal: z.array(fieldPath),
  /** What every answer of status 200 must hold, by path (`videos[].video_id`); one that does not is answered with 502. */
  shape: z.record(fieldPath, fieldKind),
  /** What else answers are known to hold, always and sometimes. One that differs is passed on, and told: the contract drifts. */
  known: z.strictObject({ always: z.record(fieldPath, fieldKind), sometimes: z.record(fieldPath, fieldKind) }).optional(),
  /** When a refresh schedule comes that says nothing else: five fields of cron, UTC; absent: it has to say. */
  usualCron: z.string().regex(/^\S+( \S+){4}$/).optional(),
  needsScope: stated(slug).optional(),
  /** An answer with all of `fields` shows that the key has `scope`. */
  proves: z.strictObject({ scope: slug, fields: z.array(fieldPath).min(1) }).optional(),
});

/** How persons are named: what a tenant wants erased, and not asked for again, is found by these. */
const persons = z.strictObject({
  /** Parameters and fields, by their own names, whose values name a person; of what is marked as personal, the rest tells of one. */
  names: z.record(name, z.enum(['username', 'user-id', 'sec-uid'])),
  /** Of an address: where in its path a user name stands, as the first group. */
  addressPath: z.string().refine(compiles, 'not a regular expression').optional(),
});

const call = z.strictObject({ endpoint: slug, query: z.record(z.string(), z.string()) });

export const catalogDocument = z.strictObject({
  id: slug,
  title: z.string().min(1),
  /** Where Weir serves this upstream. */
  basePath: z.string().regex(/^\/[a-z0-9-]+$/),
  origin: z.url({ protocol: /^https$/ }),
  auth: z.strictObject({ header: z.string().regex(/^[A-Za-z0-9-]+$/) }),
  /** What one standard key may do. */
  keyRate: z.strictObject({ perMinute: z.number().int().positive(), burst: z.number().int().positive() }),
  scopes: z.array(slug),
  /** The cheapest call that shows whether a key works. */
  testCall: call,
  /** Calls whose answers show which scopes a key has; each of an endpoint that `proves` one. */
  scopeProbes: stated(z.array(call)),
  /** Where a key's balance is read. Weir's own call: it is no endpoint, so that no tenant sees the platform's balance. */
  balance: stated(z.strictObject({ path: z.string().startsWith('/'), field: fieldPath })),
  /** How the upstream says that a key's credits are used up: by status, or by a top-level text in a body of status 200. */
  outOfCredits: stated(
    z.strictObject({ statuses: z.array(z.number().int()), members: z.array(name), phrases: z.array(z.string().min(1)) }),
  ),
  /** Absent: nothing that it is asked or answers names anybody. */
  persons: persons.optional(),
  endpoints: z.array(endpoint).min(1),
});

export type CatalogDocument = z.input<typeof catalogDocument>;
export type EndpointDocument = z.output<typeof endpoint>;
export type PersonKind = z.output<typeof persons>['names'][string];
export type Parameter = z.output<typeof parameter>;
export type Paging = z.output<typeof paging>;
export type FieldKind = z.output<typeof fieldKind>;

function compiles(source: string): boolean {
  try {
    new RegExp(source);
    return true;
  } catch {
    return false;
  }
}

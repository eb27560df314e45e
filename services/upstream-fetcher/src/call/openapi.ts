import type { ServiceParts } from '@weir/service-host';
import type { Catalog, Endpoint, Parameter } from '@weir/upstream-catalog';

type Paths = NonNullable<ServiceParts['paths']>;

const text = { schema: { type: 'string' as const } };
const header = (description: string) => ({ description, ...text });

const HEADERS = {
  'Weir-Request-Id': header('Name it when you ask about a call'),
  'Weir-Credits': header('What the call is charged'),
  'Weir-Key': header('Whose key it took: platform, own'),
  'Weir-Cache': header('hit, miss, coalesced, stale'),
  RateLimit: header('What is left of each limit (draft-ietf-httpapi-ratelimit-headers-10)'),
  'RateLimit-Policy': header('Each limit'),
  'X-RateLimit-Remaining': header('What is left of the limit that is nearest to its end; beside it -Limit, -Used, -Resource and -Reset, in epoch seconds'),
};
const REFUSED_HEADERS = {
  'Retry-After': header('Whole seconds, rounded up'),
  'Weir-Ticket': header('Of a shared key: bring it at Retry-After, and the place that was kept is yours'),
};

const REFUSALS: Readonly<Record<number, string>> = {
  400: 'invalid-parameter',
  401: 'unauthenticated',
  402: "upstream-credits-depleted: the own key's credits are used up",
  403: 'tenant-suspended, forbidden, trial-ended',
  404: 'unknown-endpoint, or the upstream knows no such thing',
  409: 'upstream-key-missing, idempotency-not-replayable, idempotency-in-progress',
  422: 'idempotency-key-reused',
  424: "upstream-key-invalid: the upstream refuses the tenant's own key",
  429: 'rate-limited: origin says whose limit, limitedBy which, Retry-After when to come back',
  502: 'upstream-failed',
  503: 'upstream-unavailable, not-accountable, stale-state',
  504: 'upstream-timeout',
};

/** What the API reference says of the data plane, which Nest does not know: taken from the catalog. */
export const openApiPaths = (catalog: Catalog): Paths =>
  Object.fromEntries(
    catalog.endpoints.map((endpoint) => [`${catalog.basePath}${endpoint.path}`, { get: operation(catalog, endpoint) }]),
  );

function operation({ id, title }: Catalog, endpoint: Endpoint) {
  const problem = { 'application/problem+json': { schema: { type: 'object' as const } } };
  return {
    operationId: `${id}.${endpoint.id}`,
    tags: [title],
    summary: endpoint.summary,
    description: `${endpoint.credits} credit${endpoint.credits === 1 ? '' : 's'} a call. ${lifetime(endpoint)}${endpoint.assumed.length === 0 ? '' : ` Assumed, not confirmed by the provider: ${endpoint.assumed.join(', ')}.`}`,
    security: [{ bearer: [] }],
    parameters: [...endpoint.parameters.map(({ declared }) => parameter(declared)), ...REQUEST_HEADERS],
    responses: {
      200: {
        description: "The upstream's answer, byte for byte",
        headers: HEADERS,
        content: { 'application/json': { schema: { type: 'object' as const } } },
      },
      ...Object.fromEntries(
        Object.entries(REFUSALS).map(([status, description]) => [
          status,
          { description, content: problem, ...(status === '429' ? { headers: REFUSED_HEADERS } : {}) },
        ]),
      ),
    },
  };
}

const lifetime = ({ lifetimeSeconds }: Endpoint): string =>
  lifetimeSeconds === 0 ? 'Never served from the cache.' : `Served again from the cache for ${lifetimeSeconds / 60} minutes.`;

function parameter(declared: Parameter) {
  return { name: declared.name, in: 'query' as const, required: declared.required, schema: schemaOf(declared) };
}

function schemaOf(declared: Parameter) {
  switch (declared.type) {
    case 'integer':
      return {
        type: 'integer' as const,
        minimum: declared.minimum,
        maximum: declared.maximum,
        ...(declared.default === undefined ? {} : { default: declared.default }),
      };
    case 'url':
      return {
        type: 'string' as const,
        format: 'uri',
        maxLength: declared.maxLength,
        description: `On one of: ${declared.hosts.join(', ')}`,
      };
    case 'text':
      return { type: 'string' as const, pattern: `^(?:${declared.pattern})$`, maxLength: declared.maxLength };
  }
}

const REQUEST_HEADERS = [
  {
    name: 'Weir-Max-Age',
    in: 'header' as const,
    required: false,
    description: 'Oldest answer from the cache that is welcome, in seconds; 0 is a fresh one',
    schema: { type: 'integer' as const, minimum: 0 },
  },
  {
    name: 'Weir-Max-Wait',
    in: 'header' as const,
    required: false,
    description: 'How long to be held instead of refused by a limit, in seconds; the plan has the last word',
    schema: { type: 'integer' as const, minimum: 0 },
  },
  {
    name: 'Weir-Priority',
    in: 'header' as const,
    required: false,
    description: "Of one tenant's calls, interactive ones go first",
    schema: { type: 'string' as const, enum: ['interactive', 'batch'], default: 'interactive' },
  },
  {
    name: 'Weir-Ticket',
    in: 'header' as const,
    required: false,
    description: 'From a 429 of an earlier try: at its Retry-After the call is admitted',
    schema: { type: 'string' as const, maxLength: 400 },
  },
  {
    name: 'Weir-Timeout',
    in: 'header' as const,
    required: false,
    description: 'How long the whole call may take, in seconds; past it 504, and nothing is charged',
    schema: { type: 'integer' as const, minimum: 0 },
  },
  {
    name: 'Idempotency-Key',
    in: 'header' as const,
    required: false,
    description: 'Under one key a call is made and charged once; each retry within 24 hours has the answer of the first',
    schema: { type: 'string' as const, minLength: 1, maxLength: 255 },
  },
];

import type { ServiceName } from '@weir/tenancy';

export interface Route {
  /** The path it equals, or continues at a `/`; `{name}` stands for any one segment. */
  readonly pattern: string;
  readonly service: ServiceName;
}

const to = (service: ServiceName, ...patterns: string[]): Route[] => patterns.map((pattern) => ({ pattern, service }));

/**
 * Which service answers a path: the first route that matches. The one table of every edge: the stack's, the Envoy of
 * docker-compose.yml and k8s/ (which is generated from it).
 */
export const ROUTES: readonly Route[] = [
  ...to('upstream-fetcher', '/tiklive', '/v1/catalog', '/v1/tenants/{t}/fetch-jobs', '/v1/tenants/{t}/refresh-schedules', '/v1/tenants/{t}/snapshots'),
  ...to('rate-limiter', '/v1/tenants/{t}/limits', '/v1/upstream-keys/{k}/shares', '/v1/upstream-keys/{k}/ceiling', '/v1/limits'),
  ...to('key-vault', '/v1/tenants/{t}/upstream-keys', '/v1/tenants/{t}/kms-key', '/v1/upstream-keys', '/v1/key-rotations'),
  ...to('metering', '/v1/tenants/{t}/usage', '/v1/tenants/{t}/calls', '/v1/tenants/{t}/quota', '/v1/tenants/{t}/billing'),
  ...to('metering', '/v1/tenants/{t}/invoices', '/v1/tenants/{t}/ledger', '/v1/tenants/{t}/budgets', '/v1/tenants/{t}/webhooks'),
  ...to('metering', '/v1/usage', '/v1/invoice-runs', '/v1/reconciliations'),
  ...to('audit-ledger', '/v1/tenants/{t}/events', '/v1/tenants/{t}/audit', '/v1/tenants/{t}/subjects', '/v1/tenants/{t}/legal-hold', '/v1/tenants/{t}/erasure-receipts'),
  ...to('audit-ledger', '/v1/platform/events', '/v1/platform/audit'),
  ...to('tenant-registry', '/v1'),
];

/** With further upstreams: what is below the base paths of their catalogs is the fetcher's, as /tiklive is. */
export const routesWith = (basePaths: readonly string[]): readonly Route[] => [...to('upstream-fetcher', ...basePaths), ...ROUTES];

/** @param path without the query */
export function routeOf(path: string, routes: readonly Route[] = ROUTES): ServiceName | undefined {
  const segments = path.split('/');
  return routes.find(({ pattern }) =>
    pattern.split('/').every((part, index) => (part.startsWith('{') ? (segments[index] ?? '') !== '' : part === segments[index])),
  )?.service;
}

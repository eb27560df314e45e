import { AppError } from '@weir/kernel';
import type { ServiceName } from '@weir/tenancy';

interface Document {
  readonly openapi: string;
  readonly info: Record<string, unknown>;
  readonly paths?: Record<string, unknown>;
  readonly tags?: unknown[];
  readonly components?: Record<string, Record<string, unknown>>;
}

/** One document of all services, each asked for its own. Paths are theirs alone, so nothing can collide but equal schemas. */
export async function mergedDocument(replicas: ReadonlyMap<ServiceName, readonly string[]>): Promise<Document> {
  const documents = await Promise.all([...replicas].map(([service, addresses]) => documentOf(service, addresses)));
  const [first] = documents;
  const components: Record<string, Record<string, unknown>> = {};
  for (const document of documents) {
    for (const [kind, entries] of Object.entries(document.components ?? {})) components[kind] = { ...components[kind], ...entries };
  }
  return {
    ...first,
    openapi: first?.openapi ?? '3.1.0',
    info: { ...first?.info, title: 'Weir' },
    paths: Object.assign({}, ...documents.map(({ paths }) => paths)) as Record<string, unknown>,
    tags: documents.flatMap(({ tags = [] }) => tags),
    components,
  };
}

async function documentOf(service: ServiceName, addresses: readonly string[]): Promise<Document> {
  for (const address of addresses) {
    const response = await fetch(`${address}/v1/openapi.json`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    if (response?.ok) return (await response.json()) as Document;
  }
  throw new AppError('service-unavailable', 'unavailable', `${service} does not answer: its part of the reference is missing. Try again in a moment.`, { retryAfter: 1 });
}

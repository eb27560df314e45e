import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Definition {
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly 'x-kubernetes-group-version-kind'?: readonly { readonly kind: string; readonly version: string; readonly group: string }[];
}

/** swagger.json of a Kubernetes release, where the machine cannot download schemas. */
export const openApiFile = (): string | undefined => process.env['KUBERNETES_OPENAPI'] || undefined;

const KINDS = [
  'ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'Job', 'Namespace', 'NetworkPolicy', 'PodDisruptionBudget', 'Service', 'ServiceAccount',
];

/** A file a kind, `deployment-v1.json`, in the form that kubeconform reads; strict: an unknown member is an error. */
export function writeSchemas(openApi: string, dir: string): void {
  const { definitions } = JSON.parse(readFileSync(openApi, 'utf8')) as { definitions: Record<string, Definition> };
  const strict = Object.fromEntries(Object.entries(definitions).map(([name, definition]) => [name, closed(name, definition)]));
  for (const [name, { 'x-kubernetes-group-version-kind': kinds = [] }] of Object.entries(definitions)) {
    for (const { kind, version, group } of kinds) {
      // events.k8s.io and the like have kinds of the same names
      if (!KINDS.includes(kind) || name.includes('.internal.') || group === 'extensions') continue;
      writeFileSync(join(dir, `${kind.toLowerCase()}-${version}.json`), JSON.stringify({ $ref: `#/definitions/${name}`, definitions: strict }));
    }
  }
}

function closed(name: string, definition: Definition): object {
  // written as a string in OpenAPI 2, which knows no unions
  if (definition.format === 'int-or-string') return { oneOf: [{ type: 'string' }, { type: 'integer' }] };
  if (name.endsWith('.api.resource.Quantity')) return { oneOf: [{ type: 'string' }, { type: 'number' }] };
  return definition.properties === undefined ? definition : { ...definition, additionalProperties: false };
}

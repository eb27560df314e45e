import { join } from 'node:path';
import type { Container, Resource } from './kubernetes';
import { documentsOf, read, readYaml } from './repository';

interface Kustomization {
  readonly resources: readonly string[];
  readonly images: readonly { readonly name: string; readonly newTag: string }[];
  readonly patches: readonly { readonly path: string }[];
  readonly configMapGenerator: readonly { readonly name: string; readonly literals?: readonly string[]; readonly files?: readonly string[] }[];
}

type Tree = { readonly [member: string]: unknown };

const BASE = 'k8s/base';

/**
 * k8s/base as kustomize would render it, as far as the checks look: the patch of defaults laid over, image tags set, ConfigMaps made
 * (without the hash in their names). For machines without kubectl; with it the real rendering is checked as well.
 */
export function baseManifests(): Resource[] {
  const { resources, images, patches, configMapGenerator } = readYaml<Kustomization>(join(BASE, 'kustomization.yaml'));
  const [defaults] = patches.flatMap(({ path }) => documentsOf<Tree>(read(join(BASE, path))));
  const tags = new Map(images.map(({ name, newTag }) => [name, newTag]));

  const objects = resources.flatMap((path) => documentsOf<Resource>(read(join(BASE, path)))).map((object) => {
    const takesDefaults = object.kind === 'Deployment' && object.metadata.labels?.['weir.dev/defaults'] === 'process';
    return withTags(takesDefaults ? ({ ...overlay(object as unknown as Tree, defaults?.['spec'], 'spec'), metadata: object.metadata } as unknown as Resource) : object, tags);
  });
  return [...objects, ...configMapGenerator.map(configMapOf)];
}

function configMapOf({ name, literals = [], files = [] }: Kustomization['configMapGenerator'][number]): Resource {
  const pairs = literals.map((literal) => [literal.slice(0, literal.indexOf('=')), literal.slice(literal.indexOf('=') + 1)]);
  const texts = files.map((path) => [path.split('/').at(-1) ?? path, read(join(BASE, path))]);
  return { kind: 'ConfigMap', metadata: { name }, data: Object.fromEntries([...pairs, ...texts]) as Record<string, string> };
}

const overlay = (object: Tree, patch: unknown, member: string): Tree => ({ ...object, [member]: merge(object[member], patch) });

/** A strategic merge, as far as it is needed: objects by member, lists of named things by name. */
function merge(onto: unknown, patch: unknown): unknown {
  if (isNamedList(onto) && isNamedList(patch)) {
    const merged = onto.map((item) => merge(item, patch.find(({ name }) => name === item.name) ?? {}));
    return [...merged, ...patch.filter(({ name }) => !onto.some((item) => item.name === name))];
  }
  if (!isTree(onto) || !isTree(patch)) return patch ?? onto;
  const members = new Set([...Object.keys(onto), ...Object.keys(patch)]);
  return Object.fromEntries([...members].map((member) => [member, member in patch ? merge(onto[member], patch[member]) : onto[member]]));
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
const isNamedList = (value: unknown): value is { name: string }[] => Array.isArray(value) && value.every((item) => isTree(item) && typeof item['name'] === 'string');

function withTags(object: Resource, tags: ReadonlyMap<string, string>): Resource {
  const template = object.spec?.template;
  if (template === undefined) return object;
  const containers = template.spec.containers.map((container): Container => {
    const tag = tags.get(container.image);
    return tag === undefined ? container : { ...container, image: `${container.image}:${tag}` };
  });
  return { ...object, spec: { ...object.spec, template: { ...template, spec: { ...template.spec, containers } } } };
}

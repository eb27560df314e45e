import { posix } from 'node:path';
import { readCatalogs, tiklive } from '@weir/upstream-catalog';
import { parse } from 'yaml';
import type { PodSpec, Resource } from './kubernetes';

/** Of settings that name files and directories: whether what they name is there, and is of the kind that it has to be. */
export function volumeProblems(workload: Resource, environment: Readonly<Record<string, string>>, resources: readonly Resource[]): string[] {
  const pod = workload.spec?.template?.spec;
  if (pod === undefined) return [];
  const claimed = (workload.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);
  const there = [...(pod.volumes ?? []).map(({ name }) => name), ...claimed];
  const mounts = pod.containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
  return [
    ...mounts.filter(({ name }) => !there.includes(name)).map(({ name }) => `mounts ${name}, which is no volume`),
    ...backlogProblems(environment['WEIR_USAGE_BACKLOG_DIR'], mountedAt(pod), claimed),
    ...catalogProblems(environment['WEIR_CATALOGS'], pod, resources),
  ];
}

/** The volume that a path is on: that with the longest mount path above it. */
const mountedAt = (pod: PodSpec) => (path: string) =>
  (pod.containers[0]?.volumeMounts ?? [])
    .filter(({ mountPath }) => `${path}/`.startsWith(`${mountPath}/`))
    .sort((a, b) => b.mountPath.length - a.mountPath.length)[0];

/** Records that wait there are owed: the volume outlives its pod, and no other pod has it. */
function backlogProblems(directory: string | undefined, mounted: ReturnType<typeof mountedAt>, claimed: readonly string[]): string[] {
  if (directory === undefined) return [];
  const volume = mounted(directory)?.name;
  if (volume === undefined) return [`WEIR_USAGE_BACKLOG_DIR ${directory} is on no volume`];
  return claimed.includes(volume) ? [] : [`WEIR_USAGE_BACKLOG_DIR ${directory} is on ${volume}, which is no claim of this replica's own`];
}

function catalogProblems(files: string | undefined, pod: PodSpec, resources: readonly Resource[]): string[] {
  if (files === undefined) return [];
  const texts: { place: string; text: string }[] = [];
  const problems: string[] = [];
  for (const place of files.split(',').map((file) => file.trim())) {
    const volume = mountedAt(pod)(posix.dirname(place))?.name;
    const map = pod.volumes?.find(({ name }) => name === volume)?.configMap?.name;
    const text = resources.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === map)?.data?.[posix.basename(place)];
    if (text === undefined) problems.push(`WEIR_CATALOGS ${place} is in no ConfigMap that is mounted there`);
    else texts.push({ place, text });
  }
  try {
    const [, ...further] = readCatalogs(tiklive, texts);
    const routed = routedBelow(resources);
    for (const { basePath } of further) if (!routed.includes(basePath)) problems.push(`the edge has no route for ${basePath}`);
  } catch (error) {
    problems.push((error as Error).message);
  }
  return problems;
}

interface EnvoyConfig {
  readonly static_resources: { readonly listeners: readonly { readonly filter_chains: readonly { readonly filters: readonly { readonly typed_config: HttpManager }[] }[] }[] };
}
interface HttpManager {
  readonly route_config: { readonly virtual_hosts: readonly { readonly routes: readonly { readonly match: { readonly path_separated_prefix?: string }; readonly route?: { readonly cluster: string } }[] }[] };
}

/** What the edge sends to the fetcher. */
function routedBelow(resources: readonly Resource[]): string[] {
  const text = resources.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'weir-edge')?.data?.['envoy.yaml'] ?? '';
  const config = parse(text) as EnvoyConfig | null;
  const managers = config?.static_resources.listeners.flatMap(({ filter_chains }) => filter_chains.flatMap(({ filters }) => filters.map(({ typed_config }) => typed_config))) ?? [];
  const routes = managers.flatMap(({ route_config }) => route_config.virtual_hosts.flatMap((host) => host.routes));
  return routes.flatMap(({ match, route }) => (route?.cluster === 'upstream-fetcher' && match.path_separated_prefix !== undefined ? [match.path_separated_prefix] : []));
}

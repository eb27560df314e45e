import { SERVICES } from '@weir/tenancy';
import { isPinned } from './image';
import { GIVEN, settingsProblems, type DeployedProcess } from './settings';
import { volumeProblems } from './volumes';

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number };
}

interface EnvironmentSource {
  readonly configMapRef?: { readonly name: string };
  readonly secretRef?: { readonly name: string };
}

interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly configMapKeyRef?: { readonly name: string; readonly key: string } };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly EnvironmentVariable[];
  readonly envFrom?: readonly EnvironmentSource[];
  readonly ports?: readonly { readonly name: string }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly resources?: { readonly requests?: { readonly cpu?: string; readonly memory?: string }; readonly limits?: { readonly memory?: string } };
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly securityContext?: {
    readonly readOnlyRootFilesystem?: boolean;
    readonly allowPrivilegeEscalation?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[] };
  };
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: { readonly runAsNonRoot?: boolean };
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly configMap?: { readonly name: string } }[];
}

/** What the checks look at of a Kubernetes object. */
export interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly template?: { readonly metadata: { readonly labels: Readonly<Record<string, string>> }; readonly spec: PodSpec };
    readonly selector?: Readonly<Record<string, unknown>>;
    readonly ports?: readonly { readonly targetPort: string }[];
    readonly scaleTargetRef?: { readonly kind: string; readonly name: string };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly target?: { readonly name: string };
  };
}

const OF_ONE: { readonly [service: string]: readonly string[] } = {
  'tenant-registry': ['WEIR_POSTGRES_MIGRATOR_URL'],
  // two replicas without it would each make a key of its own, and sign differently
  metering: ['WEIR_WEBHOOK_KEY'],
};

/** Members of the Secrets that processes are told from: what components/external-secrets or an operator puts there. */
const SECRETS: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ['weir-operator', ['WEIR_OPERATOR_TOKEN']],
  ['weir-migrate', ['WEIR_POSTGRES_ADMIN_URL']],
  ...SERVICES.map((name) => [`weir-${name}`, ['WEIR_POSTGRES_URL', ...(OF_ONE[name] ?? [])]] as const),
]);

const WORKLOADS = ['Deployment', 'Job', 'StatefulSet'];

/** What is wrong with a set of objects as they would be applied; empty when nothing is. */
export function kubernetesProblems(resources: readonly Resource[]): string[] {
  const named = (kind: string, name: string) => resources.find((resource) => resource.kind === kind && resource.metadata.name === name);
  const workloads = resources.filter(({ kind }) => WORKLOADS.includes(kind));
  return [
    ...[...SERVICES, 'edge', 'upstream-fetcher-jobs', 'tenant-registry-relay']
      .filter((name) => !named('Deployment', name) && !named('StatefulSet', name))
      .map((name) => `no Deployment or StatefulSet ${name}`),
    ...[...SERVICES, 'edge'].filter((name) => !named('Service', name)).map((name) => `no Service ${name}`),
    ...(named('Job', 'migrate') ? [] : ['no Job migrate']),
    ...workloads.flatMap((workload) => workloadProblems(workload, resources)),
    ...differingCatalogs(workloads, resources),
    ...resources.filter(({ kind }) => kind === 'Service').flatMap((service) => serviceProblems(service, workloads)),
    ...resources
      .filter(({ kind, spec }) => kind === 'HorizontalPodAutoscaler' && !named(spec?.scaleTargetRef?.kind ?? '', spec?.scaleTargetRef?.name ?? ''))
      .map(({ metadata }) => `HorizontalPodAutoscaler ${metadata.name} scales nothing`),
    ...resources
      .filter(({ kind, spec }) => kind === 'ExternalSecret' && !SECRETS.has(spec?.target?.name ?? ''))
      .map(({ metadata }) => `ExternalSecret ${metadata.name} makes a Secret that nobody reads`),
  ];
}

function workloadProblems(workload: Resource, resources: readonly Resource[]): string[] {
  const pod = workload.spec?.template?.spec;
  if (pod === undefined) return [`${workload.metadata.name}: no pod`];
  const account = pod.serviceAccountName;
  const container = pod.containers[0];
  const problems = [
    ...(pod.automountServiceAccountToken === false ? [] : ['mounts a token of the cluster that it does not need']),
    ...(pod.securityContext?.runAsNonRoot === true ? [] : ['may run as root']),
    ...(account !== undefined && !resources.some(({ kind, metadata }) => kind === 'ServiceAccount' && metadata.name === account) ? [`no ServiceAccount ${account}`] : []),
    ...pod.containers.flatMap((each) => containerProblems(each)),
    ...(workload.kind !== 'Job' ? pod.containers.flatMap(probeProblems) : []),
    ...(workload.metadata.labels?.['weir.dev/defaults'] === 'process' && (pod.terminationGracePeriodSeconds ?? 30) < 35
      ? ['has less than 30 s after SIGTERM and 5 s before']
      : []),
  ].map((problem) => `${workload.metadata.name}: ${problem}`);
  if (container?.args?.[0]?.startsWith('dist/') !== true) return problems;
  return [...problems, ...processProblems(workload, container, resources)];
}

function containerProblems({ image, resources, securityContext }: Container): string[] {
  return [
    ...(isPinned(image) ? [] : [`image ${image} is not pinned`]),
    ...(resources?.requests?.cpu && resources.requests.memory && resources.limits?.memory ? [] : ['does not say what it needs']),
    ...(securityContext?.readOnlyRootFilesystem === true ? [] : ['may write to its image']),
    ...(securityContext?.allowPrivilegeEscalation === false && securityContext.capabilities?.drop?.includes('ALL') === true ? [] : ['keeps privileges']),
  ];
}

function probeProblems(container: Container): string[] {
  const probes = { startupProbe: '/livez', livenessProbe: '/livez', readinessProbe: '/readyz' } as const;
  const simulator = container.args?.[0]?.includes('simulator') === true;
  return (Object.keys(probes) as (keyof typeof probes)[]).flatMap((kind) => {
    const path = simulator ? '/_simulator/health' : probes[kind];
    const asked = container[kind]?.httpGet;
    const port = container.ports?.some(({ name }) => name === asked?.port) === true;
    return asked?.path === path && port ? [] : [`${kind} does not ask ${path} on a port of its own`];
  });
}

function serviceProblems({ metadata, spec }: Resource, workloads: readonly Resource[]): string[] {
  const wanted = Object.entries(spec?.selector ?? {});
  const behind = workloads.filter(({ spec: own }) => wanted.every(([label, value]) => own?.template?.metadata.labels[label] === value));
  if (behind.length !== 1) return [`Service ${metadata.name} selects ${behind.length} workloads`];
  const open = behind[0]?.spec?.template?.spec.containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name)) ?? [];
  return (spec?.ports ?? []).filter(({ targetPort }) => !open.includes(targetPort)).map(({ targetPort }) => `Service ${metadata.name}: no port ${targetPort} behind it`);
}

function processProblems(workload: Resource, container: Container, resources: readonly Resource[]): string[] {
  const { name } = workload.metadata;
  const { environment, problems } = environmentOf(container, resources);
  const deployed: DeployedProcess = { name, script: container.args?.[0] ?? '', environment };
  return [...settingsProblems(deployed), ...[...problems, ...volumeProblems(workload, environment, resources)].map((problem) => `${name}: ${problem}`)];
}

/** What a container is told, with a stand-in where that is a secret. */
function environmentOf(container: Container, resources: readonly Resource[]): { environment: Record<string, string>; problems: string[] } {
  const problems: string[] = [];
  const mapOf = (map: string) => {
    const found = resources.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === map);
    if (found === undefined) problems.push(`no ConfigMap ${map}`);
    return found?.data ?? {};
  };
  const environment: Record<string, string> = {};
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined) Object.assign(environment, mapOf(configMapRef.name));
    if (secretRef === undefined) continue;
    const members = SECRETS.get(secretRef.name);
    if (members === undefined) problems.push(`nobody makes the Secret ${secretRef.name}`);
    Object.assign(environment, Object.fromEntries((members ?? []).map((member) => [member, GIVEN])));
  }
  for (const { name: variable, value, valueFrom } of container.env ?? []) {
    const from = valueFrom?.configMapKeyRef;
    environment[variable] = value ?? (from === undefined ? '' : (mapOf(from.name)[from.key] ?? ''));
  }
  return { environment, problems };
}

const KNOW_UPSTREAMS = ['key-vault', 'rate-limiter', 'upstream-fetcher', 'upstream-fetcher-jobs'];

/** An upstream that one of them does not know has keys without calls, or calls without limits. */
function differingCatalogs(workloads: readonly Resource[], resources: readonly Resource[]): string[] {
  const told = workloads
    .filter(({ metadata }) => KNOW_UPSTREAMS.includes(metadata.name))
    .flatMap(({ metadata, spec }) => (spec?.template?.spec.containers.slice(0, 1) ?? []).map((container) => ({ name: metadata.name, catalogs: environmentOf(container, resources).environment['WEIR_CATALOGS'] })));
  const all = told.find(({ catalogs }) => catalogs !== undefined)?.catalogs;
  return told.filter(({ catalogs }) => catalogs !== all).map(({ name }) => `${name}: its WEIR_CATALOGS are not those of the others`);
}

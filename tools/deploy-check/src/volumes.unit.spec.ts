import { baseManifests } from './base-manifests';
import { FURTHER_UPSTREAMS } from './edge';
import { kubernetesProblems, type Container, type PodSpec, type Resource } from './kubernetes';
import { read } from './repository';

const base = baseManifests();
const named = (names: RegExp, change: (resource: Resource, pod: PodSpec, container: Container) => Resource) => (resources: readonly Resource[]) =>
  resources.map((resource) => {
    const pod = resource.spec?.template?.spec;
    const container = pod?.containers[0];
    return names.test(resource.metadata.name) && pod !== undefined && container !== undefined ? change(resource, pod, container) : resource;
  });
const withPod = (resource: Resource, pod: Partial<PodSpec>): Resource =>
  ({ ...resource, spec: { ...resource.spec, template: { ...resource.spec?.template, spec: { ...resource.spec?.template?.spec, ...pod } } } }) as Resource;

describe('the volume of a usage backlog', () => {
  const mounted = (volume: string, directory = '/var/lib/weir/usage') =>
    named(/^upstream-fetcher$/, (resource, pod, container) => {
      const mounts = [...(container.volumeMounts ?? []), { name: volume, mountPath: '/var/lib/weir' }];
      const env = [...(container.env ?? []), { name: 'WEIR_USAGE_BACKLOG_DIR', value: directory }];
      return withPod(resource, { containers: [{ ...container, env, volumeMounts: mounts }, ...pod.containers.slice(1)] });
    });
  const claims = named(/^upstream-fetcher$/, (resource) => ({ ...resource, kind: 'StatefulSet', spec: { ...resource.spec, volumeClaimTemplates: [{ metadata: { name: 'backlog' } }] } }));

  it('is a claim of each replica’s own', () => expect(kubernetesProblems(claims(mounted('backlog')(base)))).toEqual([]));

  it.each<[string, readonly Resource[], RegExp]>([
    ['an emptyDir, which ends with its pod', mounted('tmp')(base), /upstream-fetcher: WEIR_USAGE_BACKLOG_DIR \/var\/lib\/weir\/usage is on tmp, which is no claim/],
    ['the image', claims(mounted('backlog', '/var/weir')(base)), /WEIR_USAGE_BACKLOG_DIR \/var\/weir is on no volume/],
    ['a volume that there is not', mounted('backlog')(base), /upstream-fetcher: mounts backlog, which is no volume/],
  ])('on %s is named', (_, resources, problem) => expect(kubernetesProblems(resources).join('\n')).toMatch(problem));
});

describe('a further upstream', () => {
  const maps = (text: string, config = read(`${FURTHER_UPSTREAMS}/envoy.yaml`)): Resource[] => [
    ...base.filter(({ metadata }) => metadata.name !== 'weir-edge'),
    { kind: 'ConfigMap', metadata: { name: 'weir-edge' }, data: { 'envoy.yaml': config } },
    { kind: 'ConfigMap', metadata: { name: 'weir-catalogs' }, data: { 'quotes.json': text } },
  ];
  const quotes = read(`${FURTHER_UPSTREAMS}/quotes.json`);
  const told = (names: RegExp, file = '/etc/weir/catalogs/quotes.json') =>
    named(names, (resource, pod, container) =>
      withPod(resource, {
        volumes: [...(pod.volumes ?? []), { name: 'catalogs', configMap: { name: 'weir-catalogs' } }],
        containers: [
          { ...container, env: [...(container.env ?? []), { name: 'WEIR_CATALOGS', value: file }], volumeMounts: [...(container.volumeMounts ?? []), { name: 'catalogs', mountPath: '/etc/weir/catalogs' }] },
        ],
      }),
    );
  const all = /^(key-vault|rate-limiter|upstream-fetcher|upstream-fetcher-jobs)$/;

  it('is known to whoever knows upstreams, and routed', () => expect(kubernetesProblems(told(all)(maps(quotes)))).toEqual([]));

  it.each<[string, readonly Resource[], RegExp]>([
    ['a base path that the edge does not route', told(all)(maps(quotes, read('k8s/base/edge/envoy.yaml'))), /the edge has no route for \/quotes/],
    ['a catalog that is wrong', told(all)(maps('{}')), /quotes\.json/],
    ['a file that is nowhere', told(all, '/etc/weir/catalogs/quote.json')(maps(quotes)), /quote\.json is in no ConfigMap/],
    ['a service that does not know it', told(/^(key-vault|upstream-fetcher|upstream-fetcher-jobs)$/)(maps(quotes)), /rate-limiter: its WEIR_CATALOGS are not those of the others/],
  ])('%s is named', (_, resources, problem) => expect(kubernetesProblems(resources).join('\n')).toMatch(problem));
});

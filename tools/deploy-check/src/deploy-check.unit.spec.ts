import { baseManifests } from './base-manifests';
import { composeProblems, type ComposeFile } from './compose';
import { kubernetesProblems, type Resource } from './kubernetes';
import { readYaml } from './repository';
import { standingChecks } from './standing-checks';

describe('the deployment in this repository', () => {
  test.each(standingChecks.map(({ name, run }) => [name, run] as const))('%s holds what its check asks', async (_, run) => {
    const outcome = await run();
    expect(outcome).toEqual({ ...outcome, is: 'ok' });
  });
});

describe('a compose file', () => {
  const file = readYaml<ComposeFile>('docker-compose.yml');
  const changed = (name: string, change: object): string[] =>
    composeProblems({ services: { ...file.services, [name]: { ...file.services[name], ...change } } });
  const environment = (name: string, more: Record<string, string>) => ({ environment: { ...file.services[name]?.environment, ...more } });

  test.each<[string, string, object, RegExp]>([
    ['a setting that no config.ts knows', 'metering', environment('metering', { WEIR_POSTGRES_ULR: 'x' }), /metering: no config\.ts of it knows WEIR_POSTGRES_ULR/],
    ['a setting that the service would refuse', 'metering', environment('metering', { WEIR_BUS: 'rabbit' }), /metering: .*WEIR_BUS/],
    ['a vault without its key', 'key-vault', environment('key-vault', { WEIR_KMS_KEY_ID: '' }), /key-vault: WEIR_KMS_KEY_ID is not set/],
    ['a password that is written out', 'metering', environment('metering', { WEIR_POSTGRES_URL: 'postgres://weir_metering:hunter2@postgres/weir' }), /holds a secret/],
    ['an image that moves', 'redis', { image: 'valkey/valkey:latest' }, /not pinned/],
    ['a port that everybody reaches', 'edge', { ports: ['8080:8080'] }, /publishes 8080:8080/],
    ['a port past the edge', 'postgres', { ports: ['127.0.0.1:5432:5432'] }, /publishes/],
    ['a script that is not there', 'metering', { command: ['dist/services/meterin/src/main.js'] }, /there is no dist\/services\/meterin/],
    ['waiting for the health of something without a check', 'kms', { healthcheck: { disable: true } }, /no health check/],
  ])('%s is named', (_, name, change, problem) => {
    expect(changed(name, change).join('\n')).toMatch(problem);
  });
});

describe('Kubernetes manifests', () => {
  const base = baseManifests();
  const changed = (name: string, change: (container: Record<string, unknown>) => object): string[] =>
    kubernetesProblems(
      base.map((resource): Resource => {
        const template = resource.spec?.template;
        if (resource.metadata.name !== name || template === undefined) return resource;
        const containers = template.spec.containers.map((container) => ({ ...container, ...change(container as never) }));
        return { ...resource, spec: { ...resource.spec, template: { ...template, spec: { ...template.spec, containers } } } };
      }),
    );

  test.each<[string, string, object, RegExp]>([
    ['a missing readiness probe', 'metering', { readinessProbe: undefined }, /metering: readinessProbe/],
    ['a probe on the API port', 'metering', { livenessProbe: { httpGet: { path: '/livez', port: 'api' } } }, /metering: livenessProbe/],
    ['a file system that can be written', 'key-vault', { securityContext: {} }, /may write to its image/],
    ['an image without a version', 'metering', { image: 'weir' }, /not pinned/],
    ['a Secret that nobody makes', 'metering', { envFrom: [{ secretRef: { name: 'weir-meterin' } }] }, /nobody makes the Secret weir-meterin/],
    ['a role that there is none of', 'upstream-fetcher-jobs', { env: [{ name: 'WEIR_ROLES', value: 'cron' }] }, /WEIR_ROLES/],
    ['no memory bound', 'edge', { resources: {} }, /does not say what it needs/],
  ])('%s is named', (_, name, change, problem) => {
    expect(changed(name, () => change).join('\n')).toMatch(problem);
  });
});

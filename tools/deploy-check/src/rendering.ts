import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { judged, skipped, type Outcome } from './check';
import { kubernetesProblems, type Resource } from './kubernetes';
import { openApiFile, writeSchemas } from './kubernetes-schemas';
import { ROOT, documentsOf } from './repository';
import { find, run, trouble, type Ran } from './tools';

const targets = (): string[] => ['k8s/base', ...readdirSync(join(ROOT, 'k8s/overlays')).map((name) => `k8s/overlays/${name}`)];

const NO_KUSTOMIZE = skipped('neither kubectl nor kustomize on this machine', 'go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1');

async function render(target: string): Promise<Ran | undefined> {
  if (find('kubectl') !== undefined) return run('kubectl', ['kustomize', target], { cwd: ROOT });
  if (find('kustomize') !== undefined) return run('kustomize', ['build', target], { cwd: ROOT });
  return undefined;
}

/** Components that no overlay of this repository takes: each is laid over the base, beside one that scales. */
const ALONE = [['further-upstreams'], ['availability', 'usage-backlog', 'further-upstreams'], ['usage-backlog', 'further-upstreams', 'simulator']];

async function renderWith(components: readonly string[]): Promise<Ran | undefined> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'weir-kustomize-')));
  const at = (path: string) => relative(dir, join(realpathSync(ROOT), path));
  try {
    const kustomization = { resources: [at('k8s/base')], components: components.map((name) => at(`k8s/components/${name}`)) };
    writeFileSync(join(dir, 'kustomization.yaml'), JSON.stringify(kustomization));
    return await render(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Base, every overlay and the components that are in none as they would be applied, held against the same rules as the sources. */
export async function renderedManifests(): Promise<Outcome> {
  const problems: string[] = [];
  const all = [...targets().map((name) => ({ name, run: () => render(name) })), ...ALONE.map((components) => ({ name: `k8s/base with ${components.join(', ')}`, run: () => renderWith(components) }))];
  for (const { name: target, run: rendering } of all) {
    const rendered = await rendering();
    if (rendered === undefined) return NO_KUSTOMIZE;
    if (rendered.code === 0) problems.push(...kubernetesProblems(documentsOf<Resource>(rendered.stdout).map(withoutHash)).map((problem) => `${target}: ${problem}`));
    else problems.push(...trouble(target, rendered));
  }
  return judged(problems, `${all.map(({ name }) => name).join('; ')} render and hold; no cluster was asked`);
}

/** kustomize puts a hash of the content behind a ConfigMap's name; references follow it. */
const withoutHash = (resource: Resource): Resource =>
  JSON.parse(JSON.stringify(resource).replace(/"(weir-[a-z-]+)-[0-9a-z]{10}"/g, '"$1"')) as Resource;

// they come with their own controllers, whose schemas are not Kubernetes'
const CUSTOM = 'ExternalSecret,SecretStore,Gateway,HTTPRoute';

export async function manifestSchemas(): Promise<Outcome> {
  const kubeconform = find('kubeconform');
  if (kubeconform === undefined) return skipped('no kubeconform on this machine', 'go install github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0');
  const openApi = openApiFile();
  const dir = mkdtempSync(join(tmpdir(), 'weir-schemas-'));
  try {
    if (openApi !== undefined && existsSync(openApi)) writeSchemas(openApi, dir);
    const location = openApi === undefined ? 'default' : join(dir, '{{.ResourceKind}}-{{.ResourceAPIVersion}}.json');
    for (const target of targets()) {
      const rendered = await render(target);
      if (rendered === undefined) return NO_KUSTOMIZE;
      const file = join(dir, 'rendered.yaml');
      writeFileSync(file, rendered.stdout);
      const checked = await run(kubeconform, ['-strict', '-summary', '-skip', CUSTOM, '-schema-location', location, file]);
      if (/failed (downloading|initializing)|could not find schema|no such host|connection refused/i.test(checked.said) && openApi === undefined) {
        return skipped('the schemas of Kubernetes cannot be downloaded', 'KUBERNETES_OPENAPI=<kubernetes sources>/api/openapi-spec/swagger.json npm run check:deploy');
      }
      if (checked.code !== 0) return judged(trouble(target, checked), '');
    }
    return judged([], `every object fits Kubernetes' own schemas, but for ${CUSTOM}, which were not looked at`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

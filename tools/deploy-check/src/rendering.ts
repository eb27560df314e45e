import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Base and every overlay as they would be applied, held against the same rules as the sources. */
export async function renderedManifests(): Promise<Outcome> {
  const problems: string[] = [];
  for (const target of targets()) {
    const rendered = await render(target);
    if (rendered === undefined) return NO_KUSTOMIZE;
    if (rendered.code === 0) problems.push(...kubernetesProblems(documentsOf<Resource>(rendered.stdout).map(withoutHash)).map((problem) => `${target}: ${problem}`));
    else problems.push(...trouble(target, rendered));
  }
  return judged(problems, `${targets().join(', ')} render and hold; no cluster was asked`);
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

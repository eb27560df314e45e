import { rmSync } from 'node:fs';
import type { Check, Outcome } from './check';
import { composeConfig } from './compose-config';
import { dockerfileLint } from './dockerfile-lint';
import { edgeLive } from './edge-live';
import { manifestSchemas, renderedManifests } from './rendering';
import { openTerraform, terraformTests, type Terraform } from './terraform';
import { terraformApply } from './terraform-apply';

/** Use whatever of the usual tools the machine has; none asks for a container engine, a cluster or an account. */
export function toolChecks(): Check[] {
  let opened: Terraform | Outcome | undefined;
  const withTerraform = (check: (terraform: Terraform) => Promise<Outcome>) => async (): Promise<Outcome> => {
    opened ??= await openTerraform();
    return 'is' in opened ? opened : check(opened);
  };
  const last = async (terraform: Terraform) => {
    try {
      return await terraformApply(terraform);
    } finally {
      rmSync(terraform.dir, { recursive: true, force: true });
    }
  };
  return [
    { name: 'Dockerfile, by hadolint', run: dockerfileLint },
    { name: 'docker-compose.yml, by Compose', run: composeConfig },
    { name: 'edge routes, by Envoy', run: edgeLive },
    { name: 'k8s, rendered', run: renderedManifests },
    { name: 'k8s, by kubeconform', run: manifestSchemas },
    { name: 'terraform, tested', run: withTerraform(terraformTests) },
    { name: 'terraform, applied', run: withTerraform(last) },
  ];
}

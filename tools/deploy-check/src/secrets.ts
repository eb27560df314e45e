import { documentsOf, read } from './repository';

interface ExternalSecret {
  readonly spec: { readonly dataFrom: readonly { readonly extract: { readonly key: string } }[] };
}

/** The entries that the cluster asks Secrets Manager for are those that terraform makes. */
export function secretProblems(): string[] {
  const asked = documentsOf<ExternalSecret>(read('k8s/components/external-secrets/secrets.yaml')).flatMap(({ spec }) => spec.dataFrom.map(({ extract }) => extract.key));
  const block = /processes = \{([\s\S]*?)\n {2}\}/.exec(read('terraform/modules/secrets/main.tf'))?.[1] ?? '';
  const made = [...block.matchAll(/^\s+([\w-]+)\s+=/gm)].map(([, entry]) => `weir/${entry}`);
  return [
    ...asked.filter((key) => !made.includes(key)).map((key) => `k8s asks for ${key}, which terraform/modules/secrets does not make`),
    ...made.filter((key) => !asked.includes(key)).map((key) => `terraform/modules/secrets makes ${key}, which k8s does not ask for`),
  ];
}

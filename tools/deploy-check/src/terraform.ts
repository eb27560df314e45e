import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { judged, skipped, type Outcome } from './check';
import { ROOT } from './repository';
import { find, run, trouble, type Ran } from './tools';

const MODULES = ['modules/kms', 'modules/secrets', 'modules/shred-keys', 'modules/tenant-key'];
export const LOCAL = 'environments/local';

const AWS_PROVIDER = 'registry.terraform.io/hashicorp/aws';

/** Where a machine without the network may have the AWS provider: Terraform's own places, and what is installed below /opt. */
function providerMirror(): string | undefined {
  const below = existsSync('/opt') ? readdirSync('/opt').map((name) => join('/opt', name)) : [];
  const usual = [join(homedir(), '.terraform.d/plugins'), '/usr/local/share/terraform/plugins', '/usr/share/terraform/plugins'];
  return [...usual, ...below].find((dir) => existsSync(join(dir, AWS_PROVIDER)));
}

export interface Terraform {
  /** A copy of terraform/, so that a check leaves nothing in the tree. */
  readonly dir: string;
  run(where: string, ...args: string[]): Promise<Ran>;
}

/** @returns Terraform with the provider in place, or why not */
export async function openTerraform(): Promise<Terraform | Outcome> {
  const terraform = find('terraform');
  if (terraform === undefined) return skipped('no Terraform on this machine', 'see https://developer.hashicorp.com/terraform/install');
  const dir = mkdtempSync(join(tmpdir(), 'weir-terraform-'));
  cpSync(join(ROOT, 'terraform'), dir, { recursive: true, filter: (path) => !path.includes('.terraform') });

  const env = { CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1', TF_CLI_ARGS: '-no-color' };
  const opened: Terraform = { dir, run: (where, ...args) => run(terraform, args, { cwd: join(dir, where), env }) };
  const mirror = process.env['TF_CLI_ARGS_init'] === undefined ? providerMirror() : undefined;
  for (const where of [...MODULES, LOCAL]) {
    const made = await opened.run(where, 'init', '-input=false', '-backend=false', ...(mirror === undefined ? [] : [`-plugin-dir=${mirror}`]));
    if (made.code === 0) continue;
    rmSync(dir, { recursive: true, force: true });
    if (/provider registry|Failed to query|could not connect|no available releases/i.test(made.said)) {
      return skipped('the AWS provider cannot be downloaded', 'TF_CLI_ARGS_init=-plugin-dir=<mirror of providers> npm run check:deploy');
    }
    return judged(trouble(`terraform init in ${where}`, made), '');
  }
  return opened;
}

/** Form, types, and the modules' own tests against a mocked provider. */
export async function terraformTests(terraform: Terraform): Promise<Outcome> {
  const problems: string[] = [];
  const must = async (what: string, ran: Promise<Ran>) => {
    const result = await ran;
    if (result.code !== 0) problems.push(...trouble(what, result));
    return result.stdout;
  };
  await must('terraform fmt', terraform.run('.', 'fmt', '-check', '-recursive'));
  for (const where of [...MODULES, LOCAL]) await must(`terraform validate in ${where}`, terraform.run(where, 'validate'));
  let passed = 0;
  for (const where of MODULES) passed += Number(/(\d+) passed/.exec(await must(`terraform test in ${where}`, terraform.run(where, 'test')))?.[1] ?? 0);
  return judged(problems, `formatted and valid; ${passed} tests of the modules pass`);
}

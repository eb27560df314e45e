import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { awsKmsKeyEncryption, createEnvelope } from '@weir/envelope';
import { PLATFORM } from '@weir/kernel';
import { startParts } from '@weir/stack';
import { judged, skipped, type Outcome } from './check';
import { LOCAL, type Terraform } from './terraform';
import { trouble } from './tools';

const REGION = 'eu-central-1';

interface Outputs {
  readonly kms_key_arn: { readonly value: string };
  readonly kms_alias: { readonly value: string };
}

/** Applies the local environment to a local AWS endpoint, seals and opens a secret under the key so made, and destroys it all. */
export async function terraformApply(terraform: Terraform): Promise<Outcome> {
  const parts = await startParts({ only: ['kms'], dataDir: join(terraform.dir, 'endpoint'), environment: process.env, durable: false }).catch((error: Error) => error);
  if (parts instanceof Error) return skipped(`no local AWS endpoint: ${parts.message}`, 'apt-get install python3-venv');
  // a name of this run's own: the endpoint may be one that others use
  const name = `weir-check-${randomBytes(4).toString('hex')}`;
  const variables = [`-var=endpoint=${parts.kms.url}`, `-var=name=${name}`, `-var=platform_key=${name}/platform-key`];
  const change = (...args: string[]) => terraform.run(LOCAL, ...args, '-input=false', ...variables);
  try {
    const applied = await change('apply', '-auto-approve');
    if (applied.code !== 0) return judged(trouble('terraform apply', applied), '');
    const again = await change('plan', '-detailed-exitcode');
    const outputs = JSON.parse((await terraform.run(LOCAL, 'output', '-json')).stdout) as Outputs;
    const unsealed = await sealAndOpen(parts.kms.url, outputs);
    const destroyed = await change('destroy', '-auto-approve');
    return judged(
      [
        ...(again.code === 0 ? [] : trouble('a second plan wants changes', again)),
        ...unsealed,
        ...(destroyed.code === 0 ? [] : trouble('terraform destroy', destroyed)),
      ],
      `applied to a local AWS endpoint, planned again without a change, a secret sealed and opened under ${outputs.kms_alias.value}, destroyed; IAM is not enforced there`,
    );
  } finally {
    await parts.stop();
  }
}

/** What the key vault does with a key, by the same library. */
async function sealAndOpen(endpoint: string, { kms_alias, kms_key_arn }: Outputs): Promise<string[]> {
  process.env['AWS_ACCESS_KEY_ID'] ??= 'local';
  process.env['AWS_SECRET_ACCESS_KEY'] ??= 'local';
  const keyEncryption = awsKmsKeyEncryption({ keyId: kms_alias.value, region: REGION, endpoint });
  const envelope = createEnvelope({ keyEncryption, dataKeys: { maxEntries: 10, maxAgeMs: 60_000, maxUses: 10 } });
  const secret = randomBytes(24).toString('hex');
  const place = { tenantId: PLATFORM, purpose: 'upstream-key', keyId: 'key_check', version: 1 };
  try {
    const dataKey = await envelope.createDataKey(PLATFORM, 'upstream-key', 1);
    if (dataKey.kekId !== kms_key_arn.value) return [`data keys are wrapped under ${dataKey.kekId}, and not under terraform's ${kms_key_arn.value}`];
    const sealed = await envelope.seal({ ...place, plaintext: secret, dataKey });
    envelope.forgetDataKeys();
    const opened = await envelope.open(sealed, { ...place, dataKey });
    return opened.toString('utf8') === secret ? [] : ['what was opened is not what was sealed'];
  } catch (error) {
    return [`the key that terraform made does not serve: ${(error as Error).message}`];
  } finally {
    envelope.forgetDataKeys();
    keyEncryption.close();
  }
}

import { CreateAliasCommand, CreateKeyCommand, DescribeKeyCommand, KMSClient, NotFoundException } from '@aws-sdk/client-kms';

/**
 * The key behind an alias, made when there is none. For a local KMS endpoint: in an AWS account terraform makes the key, with its policy.
 *
 * @param alias `alias/<name>`
 * @returns the key's ARN, and whether it is new
 */
export async function ensureKmsKey(client: KMSClient, alias: string): Promise<{ arn: string; created: boolean }> {
  const known = await client.send(new DescribeKeyCommand({ KeyId: alias })).catch((error: unknown) => {
    if (error instanceof NotFoundException) return undefined;
    throw error;
  });
  if (known?.KeyMetadata?.Arn !== undefined) return { arn: known.KeyMetadata.Arn, created: false };
  const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: 'Weir: wraps data keys', KeySpec: 'SYMMETRIC_DEFAULT' }));
  if (KeyMetadata?.KeyId === undefined || KeyMetadata.Arn === undefined) throw new Error('the KMS endpoint made a key without an id');
  await client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: KeyMetadata.KeyId }));
  return { arn: KeyMetadata.Arn, created: true };
}

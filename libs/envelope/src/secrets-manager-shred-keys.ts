import { randomBytes } from 'node:crypto';
import { CreateSecretCommand, DeleteSecretCommand, GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { TenantId } from '@weir/kernel';
import { kmsTrouble } from './kms-trouble';
import { SHRED_KEY_BYTES, type ShredKeys } from './shred-keys';

export interface SecretsManagerOptions {
  /** Of the secrets' names, before the tenant's id: what the policies of vault and fetcher name. */
  readonly prefix: string;
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  /** For one operation with its retries, ms. */
  readonly timeoutMs?: number;
  readonly maxAttempts?: number;
}

/** One secret of AWS Secrets Manager a tenant, deleted at once and without recovery. */
export function secretsManagerShredKeys(options: SecretsManagerOptions): ShredKeys {
  const { prefix, timeoutMs = 2000, maxAttempts = 3, region, endpoint } = options;
  const client = new SecretsManagerClient({
    maxAttempts,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  });
  const deadline = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) });
  const nameOf = (tenant: TenantId): string => `${prefix}${tenant}`;

  const get = async (tenant: TenantId): Promise<Buffer | undefined> => {
    const answer = await client.send(new GetSecretValueCommand({ SecretId: nameOf(tenant) }), deadline()).catch(unlessGone('GetSecretValue'));
    const bytes = answer?.SecretBinary;
    if (bytes === undefined) return undefined;
    return bytes.length === SHRED_KEY_BYTES ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : undefined;
  };

  return {
    name: 'secrets-manager',
    get,
    async getOrCreate(tenant) {
      const found = await get(tenant);
      if (found !== undefined) return found;
      const made = randomBytes(SHRED_KEY_BYTES);
      try {
        await client.send(new CreateSecretCommand({ Name: nameOf(tenant), SecretBinary: made }), deadline());
        return made;
      } catch (error) {
        if ((error as Error).name !== 'ResourceExistsException') throw kmsTrouble('CreateSecret', error);
        const first = await get(tenant);
        if (first === undefined) throw kmsTrouble('CreateSecret', new Error('the secret is there and cannot be read'));
        return first;
      }
    },
    async destroy(tenant) {
      // deleting one that there is not is no error there
      const found = await get(tenant);
      await client
        .send(new DeleteSecretCommand({ SecretId: nameOf(tenant), ForceDeleteWithoutRecovery: true }), deadline())
        .catch(unlessGone('DeleteSecret'));
      found?.fill(0);
      return found !== undefined;
    },
    close: () => client.destroy(),
  };
}

/** One that is marked for deletion, by whatever hand, is as good as gone. */
const unlessGone =
  (operation: string) =>
  (error: unknown): undefined => {
    const { name, message } = error as Error;
    if (name === 'ResourceNotFoundException' || (name === 'InvalidRequestException' && /delet/i.test(message))) return undefined;
    throw kmsTrouble(operation, error);
  };

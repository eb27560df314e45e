import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { AppError, PLATFORM, newId, type Clock, type CommandContext } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { platformRegistration } from '../upstream-key/key-form';
import type { UpstreamKeyService } from '../upstream-key/upstream-key.service';

/**
 * The platform's first keys, handed in at the first boot from entries of AWS Secrets Manager: the key alone, or JSON `{key, label, weight}`. Once:
 * where the platform has a key nothing is read. An entry that has no value yet is looked at again at the next start.
 *
 * @returns how many were handed in
 * @throws AppError `bad-platform-key`, which never says what stands there
 */
export async function seedPlatformKeys(names: readonly string[], keys: UpstreamKeyService, work: UnitOfWork, clock: Clock): Promise<number> {
  if (names.length === 0 || (await keys.list(PLATFORM, { limit: 1, after: undefined })).length > 0) return 0;
  const client = new SecretsManagerClient({});
  let seeded = 0;
  try {
    for (const name of names) {
      const value = await client.send(new GetSecretValueCommand({ SecretId: name })).then(
        ({ SecretString }) => SecretString,
        (error: Error) => {
          if (error.name === 'ResourceNotFoundException') return undefined;
          throw new AppError('platform-key-unavailable', 'unavailable', `The secret ${name} cannot be read: ${error.name}.`);
        },
      );
      if (value === undefined || value.trim() === '') continue;
      // the same command whoever takes it up: of two processes that start at once one hands it in
      await keys.register(PLATFORM, readEntry(name, value), await commandOf(name, work, clock));
      seeded++;
    }
  } finally {
    client.destroy();
  }
  return seeded;
}

async function commandOf(name: string, work: UnitOfWork, clock: Clock): Promise<CommandContext> {
  const { rows } = await work.inControl((sql) =>
    sql.query<{ at: string }>(
      'insert into platform_key_seeds (name, at) values ($1, $2) on conflict (name) do update set name = excluded.name returning at',
      [name, clock()],
    ),
  );
  const at = Number(rows[0]?.at);
  return { actor: { type: 'service', id: 'key-vault' }, commandId: `platform-key-seed/${name}`, at, action: 'platform-key-seed', requestId: newId('req', at) };
}

function readEntry(name: string, value: string) {
  const parsed = platformRegistration.safeParse(value.trimStart().startsWith('{') ? fromJson(value) : { key: value.trim(), label: name });
  if (parsed.success) return parsed.data;
  throw new AppError('bad-platform-key', 'invalid', `The secret ${name} holds no upstream key: ${parsed.error.issues.map(({ message }) => message).join(', ')}.`);
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

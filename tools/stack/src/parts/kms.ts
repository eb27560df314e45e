import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CreateAliasCommand, CreateKeyCommand, DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { serversDir } from '../install/cache';
import { motoPython } from '../install/python';
import { startChild, untilReady } from '../process/child';
import { freePort } from '../process/free-port';
import { orContainer, untilAnswers, type Container, type Image } from './container';
import type { PartContext, Running } from './part';

export interface KmsAddress {
  /** For AWS_ENDPOINT_URL: KMS, Secrets Manager and S3 answer there. */
  readonly url: string;
  /** A symmetric key, made once per data directory. */
  readonly keyId: string;
}

const ALIAS = 'alias/weir';

const IMAGE: Image = {
  part: 'kms',
  name: 'motoserver/moto:5.2.1',
  port: 5000,
  mounts: { [join(serversDir, 'kms.py')]: '/weir/kms.py' },
  entrypoint: 'python',
  command: ['/weir/kms.py', '-H', '0.0.0.0', '-p', '5000'],
  keeps: '/var/lib/kms',
  environment: () => ({ WEIR_KMS_STATE: '/var/lib/kms/keys' }),
};

/** What the endpoint wants to see; it checks the form alone. */
export const localCredentials = { AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };

export async function startKms(context: PartContext): Promise<Running<KmsAddress>> {
  const { environment } = context;
  const elsewhere = environment['AWS_ENDPOINT_URL'];
  if (elsewhere) return { url: elsewhere, keyId: environment['WEIR_KMS_KEY_ID'] || (await ensureKey(elsewhere)), pid: undefined, stop: async () => undefined };
  return orContainer(context, IMAGE, () => asProcess(context), adopt);
}

async function asProcess({ environment, ledger, ...context }: PartContext): Promise<Running<KmsAddress>> {
  const python = await motoPython(context.cache, context.progress);
  const dir = join(context.dataDir, 'kms');
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const child = await startChild({
    name: 'kms',
    command: python,
    args: [join(serversDir, 'kms.py'), '-H', '127.0.0.1', '-p', String(port)],
    logFile: join(context.dataDir, 'logs', 'kms.log'),
    environment: { PATH: environment['PATH'], HOME: dir, WEIR_KMS_STATE: join(dir, 'keys') },
    ledger,
  });
  const url = `http://127.0.0.1:${port}`;
  let keyId = '';
  await untilReady(child, async () => void (keyId = await ensureKey(url)));
  return { url, keyId, pid: child.pid, stop: child.stop };
}

async function adopt({ port, pid, stop }: Container): Promise<Running<KmsAddress>> {
  const url = `http://127.0.0.1:${port}`;
  let keyId = '';
  await untilAnswers('kms', async () => void (keyId = await ensureKey(url)));
  return { url, keyId, pid, stop };
}

async function ensureKey(endpoint: string): Promise<string> {
  const { AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = localCredentials;
  const client = new KMSClient({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, maxAttempts: 1 });
  const known = () => client.send(new DescribeKeyCommand({ KeyId: ALIAS })).then(({ KeyMetadata }) => KeyMetadata?.KeyId ?? '');
  try {
    return await known();
  } catch (error) {
    if ((error as Error).name !== 'NotFoundException') throw error;
    const { KeyMetadata } = await client.send(new CreateKeyCommand({ Description: 'Weir: wraps the data keys of sealed upstream keys' }));
    // somebody else may have been quicker; the alias decides whose key it is
    await client.send(new CreateAliasCommand({ AliasName: ALIAS, TargetKeyId: KeyMetadata?.KeyId })).catch(() => undefined);
    return known();
  } finally {
    client.destroy();
  }
}

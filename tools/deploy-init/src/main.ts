import { KMSClient } from '@aws-sdk/client-kms';
import { ensureKmsKey } from './kms-key';
import { newSecrets } from './secrets';

const HELP = `usage: deploy-init secrets | kms-key <alias>

  secrets           prints new secrets for a .env beside docker-compose.yml
  kms-key <alias>   makes the key behind alias/<name> at the local KMS endpoint of AWS_ENDPOINT_URL, unless it is there
`;

const [command, alias] = process.argv.slice(2);

if (command === 'secrets') process.stdout.write(newSecrets());
else if (command === 'kms-key' && alias !== undefined) void kmsKey(alias);
else {
  process.stderr.write(HELP);
  process.exitCode = command === '--help' ? 0 : 2;
}

async function kmsKey(name: string): Promise<void> {
  // without the variable the SDK would talk to the real account of whoever runs this
  if (process.env['AWS_ENDPOINT_URL'] === undefined) return fail('AWS_ENDPOINT_URL must be set: in an AWS account terraform/ makes the key');
  const client = new KMSClient({});
  await ensureKmsKey(client, name).then(
    ({ arn, created }) => void process.stdout.write(`${created ? 'made' : 'found'} ${name}: ${arn}\n`),
    (error: Error) => fail(`the KMS key could not be made: ${error.message}`),
  );
  client.destroy();
}

function fail(line: string): void {
  process.stderr.write(`weir: ${line}\n`);
  process.exitCode = 1;
}

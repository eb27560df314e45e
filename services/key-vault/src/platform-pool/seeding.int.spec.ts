import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { isTransient, type CommandContext, type TenantId } from '@weir/kernel';
import { freshPrefix, servers } from '@weir/testing';
import { PLATFORM_KEY_SECRET } from '../config';
import { vaultDatabase, type VaultDatabase } from '../testing/vault-database';
import type { UpstreamKeyService } from '../upstream-key/upstream-key.service';
import { seedPlatformKeys } from './seeding';

process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';
process.env['AWS_REGION'] ??= 'us-east-1';
process.env['AWS_ENDPOINT_URL'] ??= servers().kmsUrl;

const secretsManager = new SecretsManagerClient({});
let database: VaultDatabase;
beforeAll(async () => void (database = await vaultDatabase()), 60_000);
afterAll(async () => {
  secretsManager.destroy();
  await database.close();
});

interface HandedIn {
  readonly owner: TenantId;
  readonly body: { key: string; label: string; weight?: number };
  readonly commandId: string;
  readonly at: number;
}

/** What is handed in, in place of the service that tries it at the upstream; platform-pool.int.spec.ts has the whole. */
function platform(known = 0) {
  const handedIn: HandedIn[] = [];
  const keys = {
    list: async () => Array.from({ length: known }, () => ({})),
    register: async (owner: TenantId, body: HandedIn['body'], { commandId, at }: CommandContext) => void handedIn.push({ owner, body, commandId, at }),
  } as unknown as UpstreamKeyService;
  return { handedIn, keys };
}

let now = 1_000;
const seed = (names: readonly string[], keys: UpstreamKeyService) => seedPlatformKeys(names, keys, database.work, () => ++now);
const entry = async (SecretString: string): Promise<string> => {
  const Name = `${freshPrefix()}platform-key`;
  await secretsManager.send(new CreateSecretCommand({ Name, SecretString }));
  return Name;
};

describe("the platform's first keys", () => {
  it('are the key alone, named as its entry, or JSON with label and weight', async () => {
    const [plain, json] = [await entry('tk_live_12345678\n'), await entry(JSON.stringify({ key: 'tk_live_87654321', label: 'main', weight: 3 }))];
    const { keys, handedIn } = platform();
    expect(await seed([plain, json], keys)).toBe(2);
    expect(handedIn.map(({ owner, body }) => ({ owner, body }))).toMatchObject([
      { owner: 'ten_platform', body: { key: 'tk_live_12345678', label: plain } },
      { owner: 'ten_platform', body: { key: 'tk_live_87654321', label: 'main', weight: 3 } },
    ]);
  });

  it('are not looked for where there is a key, nor without a name', async () => {
    const { keys, handedIn } = platform(1);
    expect(await seed([await entry('tk_live_12345678')], keys)).toBe(0);
    expect(await seed([], platform().keys)).toBe(0);
    expect(handedIn).toEqual([]);
  });

  it('may have an entry without a value, or none at all, as Terraform leaves it: that is no trouble', async () => {
    const { keys, handedIn } = platform();
    expect(await seed([`${freshPrefix()}nobody`, await entry(' \n')], keys)).toBe(0);
    expect(handedIn).toEqual([]);
  });

  it('are one command however often and by however many processes they are handed in', async () => {
    const name = await entry('tk_live_12345678');
    const { keys, handedIn } = platform();
    await Promise.all([seed([name], keys), seed([name], keys)]);
    await seed([name], keys);
    expect(new Set(handedIn.map(({ commandId, at }) => `${commandId}@${at}`)).size).toBe(1);
  });

  it.each([
    ['two words', 'tk_live_secret part'],
    ['too short a key', 'tk_123'],
    ['JSON that is broken', '{"key": "tk_live_secret'],
    ['JSON of something else', '{"secret": "tk_live_secret"}'],
    ['a label that repeats the key', '{"key": "tk_live_secret", "label": "tk_live_secret"}'],
  ])('of %s are refused for good, and the error never says what stands there', async (_, value) => {
    const error = await seed([await entry(value)], platform().keys).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'bad-platform-key' });
    expect(isTransient(error)).toBe(false);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(value.includes('tk_123') ? 'tk_123' : 'secret part');
    expect(String(error)).not.toContain('tk_live_secret');
  });

  it('wait while Secrets Manager cannot be asked', async () => {
    const endpoint = process.env['AWS_ENDPOINT_URL'];
    process.env['AWS_ENDPOINT_URL'] = 'http://127.0.0.1:1';
    const error = await seed(['somewhere'], platform().keys).catch((thrown: Error) => thrown);
    process.env['AWS_ENDPOINT_URL'] = endpoint;
    expect(error).toMatchObject({ code: 'platform-key-unavailable', status: 503 });
    expect(isTransient(error)).toBe(true);
  });

  it('are looked for where Terraform makes their entry', () => {
    const variables = readFileSync(join(__dirname, '../../../../terraform/modules/secrets/variables.tf'), 'utf8');
    expect(PLATFORM_KEY_SECRET).toBe('tiklive/platform-key');
    expect(variables).toContain(`default     = ["${PLATFORM_KEY_SECRET}"]`);
  });
});

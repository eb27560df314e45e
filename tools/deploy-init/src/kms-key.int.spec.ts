import { randomUUID } from 'node:crypto';
import { KMSClient } from '@aws-sdk/client-kms';
import { awsKmsKeyEncryption } from '@weir/envelope';
import { servers } from '@weir/testing';
import { ensureKmsKey } from './kms-key';

process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';
const REGION = 'us-east-1';

describe('the key of a local KMS endpoint', () => {
  const alias = `alias/${randomUUID()}`;
  const endpoint = servers().kmsUrl;
  const client = new KMSClient({ endpoint, region: REGION });
  afterAll(() => client.destroy());

  test('is made once: the second call finds it', async () => {
    const made = await ensureKmsKey(client, alias);
    expect(made.created).toBe(true);
    expect(await ensureKmsKey(client, alias)).toEqual({ arn: made.arn, created: false });
  });

  test('wraps data keys under its alias', async () => {
    const { arn } = await ensureKmsKey(client, alias);
    const keyEncryption = awsKmsKeyEncryption({ keyId: alias, region: REGION, endpoint });
    const context = { tenant_id: 'ten_platform', purpose: 'upstream-key', data_key_version: '1' };
    const { plaintext, ...wrapped } = await keyEncryption.generateDataKey(context);
    expect(wrapped.kekId).toBe(arn);
    expect((await keyEncryption.unwrap(wrapped, context)).equals(plaintext)).toBe(true);
    keyEncryption.close();
  });
});

import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  CancelKeyDeletionCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { eventually, servers } from '@weir/testing';
import type { TenantId } from '@weir/kernel';
import { awsKmsKeyEncryption } from './aws-kms';
import { keyEncryptionConformance } from './conformance';
import { createEnvelope } from './envelope';

// the endpoint asks for a signature and not for whose
process.env['AWS_ACCESS_KEY_ID'] ??= 'spec';
process.env['AWS_SECRET_ACCESS_KEY'] ??= 'spec';

const endpoint = servers().kmsUrl;
const region = 'us-east-1';
const kms = new KMSClient({ endpoint, region });
const newKey = async (): Promise<string> => (await kms.send(new CreateKeyCommand({}))).KeyMetadata!.KeyId!;
afterAll(() => kms.destroy());

const place = { tenantId: 'ten_a' as TenantId, keyId: 'key_1', version: 1, purpose: 'upstream-key' };
const MAX_AGE_MS = 300_000;

/** An envelope under a KMS key of its own, with one sealed secret, at a time that the spec sets. */
async function sealedUnder(keyId: string, options: { endpoint?: string; timeoutMs?: number } = {}) {
  const time = { now: 1_000_000 };
  const envelope = createEnvelope({
    keyEncryption: awsKmsKeyEncryption({ keyId, endpoint, region, maxAttempts: 1, ...options }),
    dataKeys: { maxEntries: 10, maxAgeMs: MAX_AGE_MS, maxUses: 1_000 },
    clock: () => time.now,
  });
  const dataKey = await envelope.createDataKey(place.tenantId, place.purpose, 1);
  const sealed = await envelope.seal({ ...place, plaintext: 'the secret', dataKey });
  return { time, envelope, open: async () => (await envelope.open(sealed, { ...place, dataKey })).toString() };
}

describe('key encryption by AWS KMS', () => {
  keyEncryptionConformance(() => awsKmsKeyEncryption({ keyId: servers().kmsKeyId, endpoint, region }));

  it('refuses new data keys under a key that there is not', async () => {
    const keys = awsKmsKeyEncryption({ keyId: '00000000-0000-0000-0000-000000000000', endpoint, region });
    await expect(keys.generateDataKey({ tenant_id: 'ten_a', purpose: 'p', data_key_version: '1' })).rejects.toMatchObject({
      code: 'key-encryption-refused',
    });
    keys.close();
  });

  it.each([
    [
      'disabled',
      (KeyId: string) => kms.send(new DisableKeyCommand({ KeyId })),
      (KeyId: string) => kms.send(new EnableKeyCommand({ KeyId })),
    ],
    [
      'pending deletion',
      (KeyId: string) => kms.send(new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 })),
      async (KeyId: string) => {
        await kms.send(new CancelKeyDeletionCommand({ KeyId }));
        await kms.send(new EnableKeyCommand({ KeyId }));
      },
    ],
  ] as const)(
    'V7 stops opening within the bound of the cache when the key is %s, and opens again when it is back',
    async (_, takeAway, giveBack) => {
      const keyId = await newKey();
      const { time, envelope, open } = await sealedUnder(keyId);
      await takeAway(keyId);
      time.now += MAX_AGE_MS - 1;
      expect(await open()).toBe('the secret');
      time.now += 1;
      await expect(open()).rejects.toMatchObject({ code: 'key-encryption-refused', status: 503 });
      expect(envelope.stats().entries).toBe(0);
      await giveBack(keyId);
      expect(await open()).toBe('the secret');
      envelope.close();
    },
  );
});

/** In front of the endpoint: passes on, or answers as KMS does in trouble, or not at all. */
async function startTrouble() {
  let trouble: 'none' | 'silent' | 'slow' | 'throttled' | 'denied' | 'broken' = 'none';
  let waiting: (() => void)[] = [];
  let came = 0;
  const says: Record<string, [number, string]> = {
    throttled: [400, 'ThrottlingException'],
    denied: [400, 'AccessDeniedException'],
    broken: [500, 'KMSInternalException'],
  };
  const server: Server = createServer(async (incoming, outgoing) => {
    came++;
    if (trouble === 'silent') return;
    if (trouble === 'slow') await new Promise<void>((resolve) => waiting.push(resolve));
    const said = says[trouble];
    if (said !== undefined) {
      outgoing
        .writeHead(said[0], { 'content-type': 'application/x-amz-json-1.1' })
        .end(JSON.stringify({ __type: said[1], message: trouble }));
      return;
    }
    const { hostname, port } = new URL(endpoint);
    const passedOn = forward(
      { hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(passedOn);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set: (next: typeof trouble) => void (trouble = next),
    /** How many requests have come so far. */
    came: () => came,
    /** Slow ones get their answers now. */
    answer: () => {
      for (const go of waiting) go();
      waiting = [];
    },
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

describe('trouble with KMS', () => {
  it.each([
    ['silent', 'key-encryption-unavailable'],
    ['throttled', 'key-encryption-unavailable'],
    ['broken', 'key-encryption-unavailable'],
    ['denied', 'key-encryption-refused'],
  ] as const)('V6 when it is %s, data keys in memory serve to their bound, then 503 %s, then as before', async (kind, code) => {
    const trouble = await startTrouble();
    const { time, envelope, open } = await sealedUnder(servers().kmsKeyId, { endpoint: trouble.url, timeoutMs: 200 });
    trouble.set(kind);
    time.now += MAX_AGE_MS - 1;
    expect(await open()).toBe('the secret');
    time.now += 1;
    await expect(open()).rejects.toMatchObject({ code, status: 503 });
    trouble.set('none');
    expect(await open()).toBe('the secret');
    envelope.close();
    await trouble.stop();
  });

  it('V6 when it is slow but answers, whoever needs a data key waits for one answer together, and those in memory wait for none', async () => {
    const trouble = await startTrouble();
    const { time, envelope, open } = await sealedUnder(servers().kmsKeyId, { endpoint: trouble.url, timeoutMs: 60_000 });
    const before = trouble.came();
    trouble.set('slow');
    time.now += MAX_AGE_MS - 1;
    expect(await open()).toBe('the secret');
    expect(trouble.came()).toBe(before);
    time.now += 1;
    const waiting = Promise.all(Array.from({ length: 50 }, open));
    await eventually(() => expect(trouble.came()).toBe(before + 1));
    trouble.set('none');
    trouble.answer();
    expect(new Set(await waiting)).toEqual(new Set(['the secret']));
    expect(trouble.came()).toBe(before + 1);
    envelope.close();
    await trouble.stop();
  });

  it('V6 when it is slower than the bound of a request, it is unavailable, and an answer that comes late changes nothing', async () => {
    const trouble = await startTrouble();
    const { time, envelope, open } = await sealedUnder(servers().kmsKeyId, { endpoint: trouble.url, timeoutMs: 1_000 });
    trouble.set('slow');
    time.now += MAX_AGE_MS;
    await expect(open()).rejects.toMatchObject({ code: 'key-encryption-unavailable', status: 503 });
    trouble.set('none');
    trouble.answer();
    expect(envelope.stats().entries).toBe(0);
    expect(await open()).toBe('the secret');
    envelope.close();
    await trouble.stop();
  });

  it('V6 when it is gone, likewise', async () => {
    const trouble = await startTrouble();
    const { time, envelope, open } = await sealedUnder(servers().kmsKeyId, { endpoint: trouble.url });
    await trouble.stop();
    expect(await open()).toBe('the secret');
    time.now += MAX_AGE_MS;
    await expect(open()).rejects.toMatchObject({ code: 'key-encryption-unavailable', status: 503 });
    envelope.close();
  });
});

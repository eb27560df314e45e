import { DecryptCommand, GenerateDataKeyCommand, KMSClient, ReEncryptCommand } from '@aws-sdk/client-kms';
import { PLATFORM } from '@weir/kernel';
import { unreadableSecret } from './errors';
import { DATA_KEY_BYTES, type KeyEncryption } from './key-encryption';
import { kmsTrouble } from './kms-trouble';

export interface AwsKmsOptions {
  /** Id, ARN or alias of the symmetric key under which new data keys are wrapped. */
  readonly keyId: string;
  /** Both default to what the AWS SDK finds (AWS_REGION, AWS_ENDPOINT_URL, profile); credentials always come from there. */
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  /** For one operation with its retries, ms. */
  readonly timeoutMs?: number;
  readonly maxAttempts?: number;
}

// Allowed by the same policy as every other context; no data key has version 0.
const NOBODYS = { tenant_id: PLATFORM, purpose: 'upstream-key', data_key_version: '0' };

// KMS takes ciphertexts of up to 6,144 bytes; longer ones are not its own.
const MAX_WRAPPED_BYTES = 6144;

/** Key encryption by AWS KMS: GenerateDataKey and Decrypt, bound to the encryption context and to the key that the record names. */
export function awsKmsKeyEncryption(options: AwsKmsOptions): KeyEncryption {
  const { keyId, timeoutMs = 2000 } = options;
  const client = new KMSClient({
    maxAttempts: options.maxAttempts ?? 3,
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
  });
  const deadline = () => ({ abortSignal: AbortSignal.timeout(timeoutMs) });

  const kms: KeyEncryption = {
    name: 'aws-kms',
    async generateDataKey(context, under = keyId) {
      const command = new GenerateDataKeyCommand({ KeyId: under, KeySpec: 'AES_256', EncryptionContext: { ...context } });
      const answer = await client.send(command, deadline()).catch((error: unknown) => {
        throw kmsTrouble('GenerateDataKey', error);
      });
      return {
        plaintext: dataKeyBytes('GenerateDataKey', answer.Plaintext),
        wrapped: Buffer.from(answer.CiphertextBlob ?? []),
        kekId: answer.KeyId ?? under,
      };
    },

    async unwrap({ wrapped, kekId }, context) {
      if (wrapped.length < 1 || wrapped.length > MAX_WRAPPED_BYTES) throw unreadableSecret();
      const command = new DecryptCommand({ CiphertextBlob: wrapped, KeyId: kekId, EncryptionContext: { ...context } });
      const answer = await client.send(command, deadline()).catch((error: unknown) => {
        throw kmsTrouble('Decrypt', error);
      });
      const plaintext = dataKeyBytes('Decrypt', answer.Plaintext);
      if (answer.KeyId === kekId) return plaintext;
      // KMS refuses another key's ciphertext by itself; an endpoint that does not is not trusted with it
      plaintext.fill(0);
      throw unreadableSecret();
    },

    async rewrap({ wrapped, kekId }, context, { under = keyId, context: after = context } = {}) {
      if (wrapped.length < 1 || wrapped.length > MAX_WRAPPED_BYTES) throw unreadableSecret();
      const command = new ReEncryptCommand({
        CiphertextBlob: wrapped,
        SourceKeyId: kekId,
        SourceEncryptionContext: { ...context },
        DestinationKeyId: under,
        DestinationEncryptionContext: { ...after },
      });
      const answer = await client.send(command, deadline()).catch((error: unknown) => {
        throw kmsTrouble('ReEncrypt', error);
      });
      const rewrapped = Buffer.from(answer.CiphertextBlob ?? []);
      if (rewrapped.length === 0) throw kmsTrouble('ReEncrypt', new Error('the answer holds no ciphertext'));
      return { wrapped: rewrapped, kekId: answer.KeyId ?? under };
    },

    // an alias or an id is told apart from the key that it means by what KMS answers
    currentKekId: async () => {
      const { plaintext, kekId } = await kms.generateDataKey(NOBODYS);
      plaintext.fill(0);
      return kekId;
    },
    turnOver: () => kms.currentKekId(),
    retireOthers: async () => undefined,

    close: () => client.destroy(),
  };
  return kms;
}

/** The SDK's own bytes, not a copy of them: there is one place to overwrite. */
function dataKeyBytes(operation: string, bytes: Uint8Array | undefined): Buffer {
  if (bytes?.length !== DATA_KEY_BYTES) throw kmsTrouble(operation, new Error('the answer holds no 256-bit key'));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

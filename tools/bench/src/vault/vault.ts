import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createEnvelope, localKeyEncryption, type Envelope, type WrappedDataKey } from '@weir/envelope';
import { newId, type TenantId } from '@weir/kernel';
import type { Bench, Sample, Side } from '../bench';

const BARE = 'AES-256-GCM, decrypt';
const STEADY = 'open, 200 tenants, one call a second each';
const PURPOSE = 'upstream-key';
/** As long as upstream keys are. */
const SECRET_BYTES = 40;
const TENANTS = 200;
/** More than the message keys that are kept of one data key. */
const KEYS_OF_ONE = 256;
const CALLS_A_SECOND = TENANTS;
const MAX_AGE_MS = 300_000;

interface Sealed {
  readonly sealed: Buffer;
  readonly place: { readonly tenantId: TenantId; readonly keyId: string; readonly version: number; readonly purpose: string; readonly dataKey: WrappedDataKey };
}

/** Opening a sealed key as a fetcher does for each call, beside the decryption that is at its heart; how often the key-encryption key is asked. */
export const vault: Bench = {
  name: 'vault',
  title: 'opening sealed keys, cold and with the derived key in memory, against AES-256-GCM; KMS calls of a steady load over 200 tenants',
  async open({ directory }) {
    // what a fetcher's settings are by default; the time is the bench's own, so that hours pass in seconds
    const time = { now: Date.now() };
    const envelope = createEnvelope({
      keyEncryption: localKeyEncryption({ keyFile: join(directory, 'kek') }),
      dataKeys: { maxEntries: 5_000, maxAgeMs: MAX_AGE_MS, maxUses: 1_000_000 },
      clock: () => time.now,
    });
    const [one] = await sealSome(envelope, 1, KEYS_OF_ONE);
    const all = (await sealSome(envelope, TENANTS, 1)).map(([first]) => first as Sealed);
    const cold = one as Sealed[];

    const sides: Side[] = [
      { name: BARE, run: (seconds) => Promise.resolve(decryptBare(seconds)) },
      { name: 'open, derived key in memory', against: BARE, run: (seconds) => opening(envelope, seconds, () => cold[0] as Sealed) },
      { name: 'open, cold: derived anew', against: BARE, run: (seconds) => opening(envelope, seconds, (n) => cold[n % cold.length] as Sealed) },
      {
        name: STEADY,
        run: async (seconds) => {
          const before = envelope.stats().keyEncryptionCalls;
          const onTime = (n: number) => {
            time.now += 1_000 / CALLS_A_SECOND;
            return all[n % TENANTS] as Sealed;
          };
          // however slow the machine: a data key is renewed twice, or nothing was measured
          const sample = await opening(envelope, seconds, onTime, ((2 * MAX_AGE_MS) / 1_000) * CALLS_A_SECOND);
          const calls = envelope.stats().keyEncryptionCalls - before;
          return { ...sample, figures: { 'KMS calls, % of reads': (100 * calls) / sample.operations, 'minutes of load': sample.operations / CALLS_A_SECOND / 60 } };
        },
      },
    ];
    return {
      sides,
      gates: [{ title: 'KMS calls, % of reads at a steady load over 200 tenants', value: (resultOf) => resultOf(STEADY)?.figures['KMS calls, % of reads'], atMost: 1 }],
      close: () => Promise.resolve(envelope.close()),
    };
  },
};

async function sealSome(envelope: Envelope, tenants: number, keys: number): Promise<Sealed[][]> {
  const sealed: Sealed[][] = [];
  for (let t = 0; t < tenants; t++) {
    const tenantId = newId('ten');
    const dataKey = await envelope.createDataKey(tenantId, PURPOSE, 1);
    const own: Sealed[] = [];
    for (let k = 0; k < keys; k++) {
      const place = { tenantId, keyId: newId('key'), version: 1, purpose: PURPOSE, dataKey };
      own.push({ place, sealed: await envelope.seal({ ...place, plaintext: randomBytes(SECRET_BYTES) }) });
    }
    sealed.push(own);
  }
  return sealed;
}

async function opening(envelope: Envelope, seconds: number, next: (n: number) => Sealed, atLeast = 0): Promise<Sample> {
  const start = performance.now();
  const end = start + seconds * 1_000;
  let operations = 0;
  while (performance.now() < end || operations < atLeast) {
    for (let i = 0; i < 100; i++) {
      const { sealed, place } = next(operations++);
      (await envelope.open(sealed, place)).fill(0);
    }
  }
  return { operations, seconds: (performance.now() - start) / 1_000 };
}

/** One text of the same length, with as much additional data. */
function decryptBare(seconds: number): Sample {
  const [key, nonce, context] = [randomBytes(32), randomBytes(12), randomBytes(86)];
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  cipher.setAAD(context);
  const ciphertext = Buffer.concat([cipher.update(randomBytes(SECRET_BYTES)), cipher.final()]);
  const tag = cipher.getAuthTag();
  const start = performance.now();
  const end = start + seconds * 1_000;
  let operations = 0;
  while (performance.now() < end) {
    for (let i = 0; i < 100; i++, operations++) {
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
      decipher.setAAD(context);
      decipher.setAuthTag(tag);
      const plaintext = decipher.update(ciphertext);
      decipher.final();
      plaintext.fill(0);
    }
  }
  return { operations, seconds: (performance.now() - start) / 1_000 };
}

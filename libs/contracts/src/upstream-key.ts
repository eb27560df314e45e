import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { count, keyId, oneOf, tenantId, text, timestamp } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

const topic = eventsTopic('upstream-key');
const scopes = () => plain(z.array(z.string()));

/** One check of a key against the upstream, in words that a person can act on. */
export const keyCheck = z.object({
  name: text(),
  result: oneOf('passed', 'failed', 'unknown'),
  evidence: text(),
  nextStep: text(),
});
export type KeyCheck = z.infer<typeof keyCheck>;

/** Why a version was refused; `rate-limited` and `unreachable` say nothing about the key itself. */
export const REJECTIONS = ['unauthorized', 'out-of-credits', 'rate-limited', 'unreachable'] as const;
export type Rejection = (typeof REJECTIONS)[number];

export const upstreamKeyRegistered = event(topic, 'upstream-key.registered', 'A key has an id; no secret of it is here.', {
  keyId: keyId(),
  owner: oneOf('tenant', 'platform'),
  label: text(),
  /** The catalog of the upstream that it is a key of; unsaid: the first one's. */
  upstream: plain(z.string().optional()),
});
export const upstreamKeyVersionOffered = event(topic, 'upstream-key.version-offered', 'A secret was handed in and sealed.', {
  keyId: keyId(),
  version: count(),
  fingerprint: text(),
  last4: text(),
});
export const upstreamKeyVersionActivated = event(topic, 'upstream-key.version-activated', 'It passed its checks; new calls use it.', {
  keyId: keyId(),
  version: count(),
  scopes: scopes(),
});
export const upstreamKeyVersionRejected = event(topic, 'upstream-key.version-rejected', 'It failed its checks and is never used.', {
  keyId: keyId(),
  version: count(),
  because: oneOf(...REJECTIONS),
});
export const upstreamKeyVersionSuperseded = event(topic, 'upstream-key.version-superseded', 'Calls in flight may finish on it.', {
  keyId: keyId(),
  version: count(),
  drainUntil: timestamp(),
});
export const upstreamKeyVersionDestroyed = event(topic, 'upstream-key.version-destroyed', 'Its sealed secret is gone.', {
  keyId: keyId(),
  version: count(),
});
export const upstreamKeyChecked = event(topic, 'upstream-key.checked', 'The key was tried against the upstream.', {
  keyId: keyId(),
  version: count(),
  at: timestamp(),
  outcome: oneOf('accepted', ...REJECTIONS),
  checks: z.array(keyCheck),
});
export const upstreamKeyStatusChanged = event(topic, 'upstream-key.status-changed', 'Whether calls may use the key at all.', {
  keyId: keyId(),
  status: oneOf('usable', 'invalid', 'depleted', 'quarantined'),
  because: text(),
});
export const upstreamKeyWeightSet = event(topic, 'upstream-key.weight-set', 'How often it comes first among the keys of its pool.', {
  keyId: keyId(),
  weight: plain(z.number().positive()),
});
export const upstreamKeyCreditsForecast = event(topic, 'upstream-key.credits-forecast', 'At the rate of late its credits end on that day: the alert before.', {
  keyId: keyId(),
  credits: count(),
  endsAt: timestamp(),
});
export const upstreamKeyRemoved = event(topic, 'upstream-key.removed', 'The key is gone, every version destroyed.', { keyId: keyId() });

const rotationParts = () => plain(z.array(z.enum(['data-keys', 'key-encryption-key'])));
export const keyRotationStarted = event(topic, 'key-rotation.started', 'Data keys, or the key-encryption key, are being renewed, for all tenants or for one.', {
  rotationId: text(),
  of: rotationParts(),
  /** null: all of them */
  tenantId: plain(z.string().nullable()),
});
export const keyRotationFinished = event(topic, 'key-rotation.finished', 'What the signed completeness report of a rotation says in short.', {
  rotationId: text(),
  of: rotationParts(),
  tenants: count(),
  blobs: count(),
  leftUnderOld: count(),
  unreadable: count(),
  complete: plain(z.boolean()),
  /** Of the report as canonical JSON, hex. */
  reportSha256: text(),
  /** Ed25519, base64; the public key in PEM. */
  signature: text(),
  publicKey: text(),
});

export const upstreamKeysShredded = event(topic, 'upstream-keys.shredded', "The receipt: nothing that was sealed for the tenant opens any more, from whatever copy.", {
  tenantId: tenantId(),
  keys: count(),
  dataKeys: count(),
  keptIn: text(),
  /** False: there was none, or not any more. */
  shredKeyDestroyed: plain(z.boolean()),
  at: timestamp(),
});

export const upstreamKeysKmsKeySet = event(topic, 'upstream-keys.kms-key-set', "From now on the tenant's data keys are made under this KMS key of its own; null: under the platform's again.", {
  tenantId: tenantId(),
  kmsKeyId: plain(z.string().nullable()),
});
export const upstreamKeysHandedOver = event(topic, 'upstream-keys.handed-over', "The tenant's data keys were wrapped for another installation: with its archive its upstream keys open there.", {
  tenantId: tenantId(),
  dataKeys: count(),
  /** The KMS key or transfer key that opens them. */
  recipient: text(),
  at: timestamp(),
});
export const upstreamKeysTakenOver = event(topic, 'upstream-keys.taken-over', "Secrets that came with an archive were sealed anew, under a data key of this installation's.", {
  tenantId: tenantId(),
  secrets: count(),
  unreadable: count(),
  recipient: text(),
  at: timestamp(),
});

export type UpstreamKeyEvent = FactOf<
  | typeof upstreamKeyRegistered
  | typeof upstreamKeyVersionOffered
  | typeof upstreamKeyVersionActivated
  | typeof upstreamKeyVersionRejected
  | typeof upstreamKeyVersionSuperseded
  | typeof upstreamKeyVersionDestroyed
  | typeof upstreamKeyChecked
  | typeof upstreamKeyStatusChanged
  | typeof upstreamKeyWeightSet
  | typeof upstreamKeyCreditsForecast
  | typeof upstreamKeyRemoved
>;

/** A data key as KMS wrapped it; useless without KMS and the encryption context. */
export const wrappedDataKey = z.object({ version: count(), kekId: text(), purpose: text(), wrapped: text() });

export const upstreamKeyState = record(
  stateTopic('upstream-key'),
  'upstream-key.state',
  'What a fetcher needs to call with a key: its sealed versions. The one topic that carries ciphertext.',
  z.object({
    id: keyId(),
    /** `ten_platform` for the platform's own. */
    owner: tenantId(),
    /** The catalog of the upstream that it is a key of; unsaid: the first one's. */
    upstream: plain(z.string().optional()),
    status: oneOf('usable', 'invalid', 'depleted', 'quarantined'),
    active: plain(z.number().int().positive().nullable()),
    weight: plain(z.number().positive()),
    scopes: scopes(),
    versions: z.array(
      z.object({
        version: count(),
        state: oneOf('active', 'draining'),
        drainUntil: plain(z.number().int().nullable()),
        /** base64 of the sealed secret; docs/envelope-format.md. */
        sealed: text(),
        dataKey: wrappedDataKey,
      }),
    ),
  }),
);
export type UpstreamKeyState = z.infer<typeof upstreamKeyState.schema>;

import { rfc3339, idTimeMs } from '@weir/kernel';
import { tiklive } from '@weir/upstream-catalog';
import type { KeyCheck } from '@weir/contracts';
import { activeVersion, type KeyStatus, type Outcome, type RegisteredKey, type Version } from './upstream-key';

/** A key as the API shows it: never a secret, sealed or not. */
export interface UpstreamKeyView {
  readonly id: string;
  readonly label: string;
  /** The catalog of the upstream that it is a key of. */
  readonly upstream: string;
  /** Whether calls may use it: usable, invalid, depleted, quarantined. */
  readonly state: KeyStatus;
  /** How often it comes first among the platform's keys. */
  readonly weight: number;
  /** The version that new calls use. */
  readonly activeVersion: number | null;
  readonly last4: string | null;
  readonly versions: readonly {
    version: number;
    state: Version['state'];
    last4: string;
    drainUntil: string | null;
    because: string | null;
  }[];
  readonly scopes: readonly string[];
  readonly lastCheck: { at: string; version: number; outcome: Outcome; checks: readonly KeyCheck[] } | null;
  readonly createdAt: string;
  /** Of the resource: its ETag. */
  readonly version: number;
}

export function toView(key: RegisteredKey, version: number): UpstreamKeyView {
  const { lastCheck } = key;
  const active = activeVersion(key);
  return {
    id: key.keyId,
    label: key.label,
    upstream: key.upstream ?? tiklive.id,
    state: key.status,
    weight: key.weight,
    activeVersion: active ?? null,
    last4: (key.versions.find((v) => v.version === active) ?? key.versions.at(-1))?.last4 ?? null,
    versions: key.versions.map((v) => ({
      version: v.version,
      state: v.state,
      last4: v.last4,
      drainUntil: v.state === 'draining' && v.drainUntil !== undefined ? rfc3339(v.drainUntil) : null,
      because: v.because ?? null,
    })),
    scopes: key.scopes,
    lastCheck: lastCheck === undefined ? null : { ...lastCheck, at: rfc3339(lastCheck.at) },
    createdAt: rfc3339(idTimeMs(key.keyId)),
    version,
  };
}

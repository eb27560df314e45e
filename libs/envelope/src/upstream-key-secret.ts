import type { UpstreamKeyState } from '@weir/contracts';
import type { KeyId, TenantId } from '@weir/kernel';
import type { WrappedDataKey } from './data-key-cache';
import type { Envelope } from './envelope';
import { unreadableSecret } from './errors';

/** What a tenant's data key of this kind seals; part of each secret's context and of the key-encryption context. */
export const UPSTREAM_KEY_PURPOSE = 'upstream-key';

/** One version of an upstream key as its state topic carries it. */
export type SealedKeyVersion = UpstreamKeyState['versions'][number];

/** Whose key it is and which version: the place that a secret is sealed for. The platform's own keys are those of `ten_platform`. */
export interface UpstreamKeyPlace {
  readonly owner: TenantId;
  readonly keyId: KeyId;
  readonly version: number;
}

export const upstreamKeyContext = ({ owner, keyId, version }: UpstreamKeyPlace) => ({
  tenantId: owner,
  keyId,
  version,
  purpose: UPSTREAM_KEY_PURPOSE,
});

/** The members of a record's version that hold the secret: base64, the data key beside it as it was wrapped. */
export const sealedKeyMembers = (sealed: Buffer, dataKey: WrappedDataKey): Pick<SealedKeyVersion, 'sealed' | 'dataKey'> => ({
  sealed: sealed.toString('base64'),
  dataKey: {
    version: dataKey.version,
    kekId: dataKey.kekId,
    purpose: dataKey.purpose,
    wrapped: dataKey.wrapped.toString('base64'),
  },
});

/**
 * The secret of one version of a record of `weir.upstream-key.state`, in a buffer that the caller overwrites after use.
 *
 * @throws AppError `unreadable-secret`; `key-encryption-refused`, `key-encryption-unavailable`
 */
export async function openUpstreamKey(
  envelope: Envelope,
  key: Pick<UpstreamKeyState, 'id' | 'owner'>,
  version: SealedKeyVersion,
): Promise<Buffer> {
  // a record is data: one that names another purpose is not unwrapped as if it were ours
  if (version.dataKey.purpose !== UPSTREAM_KEY_PURPOSE) throw unreadableSecret();
  const dataKey: WrappedDataKey = {
    tenantId: key.owner,
    purpose: version.dataKey.purpose,
    version: version.dataKey.version,
    kekId: version.dataKey.kekId,
    wrapped: Buffer.from(version.dataKey.wrapped, 'base64'),
  };
  const place = upstreamKeyContext({ owner: key.owner, keyId: key.id, version: version.version });
  return envelope.open(Buffer.from(version.sealed, 'base64'), { ...place, dataKey });
}

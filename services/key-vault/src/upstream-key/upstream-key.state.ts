import type { UpstreamKeyState } from '@weir/contracts';
import { sealedKeyMembers } from '@weir/envelope';
import type { TenantId } from '@weir/kernel';
import type { SealedVersion } from '../sealing/sealed-versions';
import { activeVersion, callableVersions, type UpstreamKey } from './upstream-key';

/**
 * What fetchers shall know of a key: its callable versions with their sealed secrets. A key without one is said too, so that 'invalid' can
 * be told from 'none'; null is a tombstone.
 */
export function toState(owner: TenantId, state: UpstreamKey, sealed: readonly SealedVersion[]): UpstreamKeyState | null {
  if (state.is !== 'registered') return null;
  const blobs = new Map(sealed.map((blob) => [blob.version, blob]));
  return {
    id: state.keyId,
    owner,
    ...(state.upstream === undefined ? {} : { upstream: state.upstream }),
    status: state.status,
    active: activeVersion(state) ?? null,
    weight: state.weight,
    scopes: [...state.scopes],
    versions: callableVersions(state).flatMap(({ version, state: is, drainUntil }) => {
      const blob = blobs.get(version);
      if (blob === undefined) return [];
      return [
        {
          version,
          state: is === 'active' ? 'active' : 'draining',
          drainUntil: drainUntil ?? null,
          ...sealedKeyMembers(blob.sealed, blob.dataKey),
        },
      ];
    }),
  };
}

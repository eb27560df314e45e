import type { StateTable } from '@weir/access';
import type { KeyCeilingState } from '@weir/contracts';
import type { Clock } from '@weir/kernel';
import type { KeyRest } from '../upstream/key-rest';

/** A pause of which another process heard: what is left of it, and, clocks being apart, never more than it was. */
export function restAsHeard(ceilings: StateTable<KeyCeilingState>, rest: KeyRest, clock: Clock): void {
  ceilings.onChange((keyId, ceiling, before) => {
    const { loweredAt = null, pausedUntil = null } = ceiling ?? {};
    if (loweredAt === null || pausedUntil === null || loweredAt === before?.loweredAt) return;
    const leftMs = Math.min(pausedUntil - clock(), pausedUntil - loweredAt);
    if (leftMs > 0) rest.pause(keyId, leftMs);
  });
}

import type { Endpoint } from '@weir/upstream-catalog';

/** Until when what was captured is as new as its reader, a dashboard, wants it: by the catalog. All in ms since the epoch. */
export const freshUntil = ({ snapshotLifetimeSeconds = 0 }: Pick<Endpoint, 'snapshotLifetimeSeconds'>, capturedAt: number): number => capturedAt + snapshotLifetimeSeconds * 1_000;

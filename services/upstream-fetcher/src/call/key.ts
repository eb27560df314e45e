import type { UpstreamKeyState } from '@weir/contracts';
import { openUpstreamKey, type Envelope } from '@weir/envelope';
import { upstreamUnavailable } from '../errors';
import { SIMULATOR_KEY, SIMULATOR_SECRET } from './simulator-key';

/** A version of a key, open: never logged, never stored. */
export interface OpenKey {
  readonly version: number;
  readonly secret: string;
}

/**
 * Step 6: the sealed blob of the table, opened with a cached data key.
 *
 * @throws AppError `upstream-unavailable` where there is nothing to open; `unreadable-secret`, `key-encryption-…`
 */
export async function openKey(envelope: Envelope, key: UpstreamKeyState): Promise<OpenKey> {
  if (key === SIMULATOR_KEY) return { version: 1, secret: SIMULATOR_SECRET };
  const version = key.versions.find((one) => one.version === key.active);
  if (version === undefined) throw upstreamUnavailable('The upstream key has no version that can be used now.');
  const bytes = await openUpstreamKey(envelope, key, version);
  const secret = bytes.toString('latin1');
  bytes.fill(0);
  return { version: version.version, secret };
}

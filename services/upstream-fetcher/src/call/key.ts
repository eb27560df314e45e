import type { UpstreamKeyState } from '@weir/contracts';
import { openUpstreamKey, type Envelope } from '@weir/envelope';
import type { Clock } from '@weir/kernel';
import { upstreamUnavailable } from '../errors';
import { SIMULATOR_KEY, SIMULATOR_SECRET } from './simulator-key';

/** A version of a key, open: never logged, never stored. */
export interface OpenKey {
  readonly version: number;
  readonly secret: string;
}

/** Step 6: the sealed blob of the table, opened with a cached data key. */
export interface Keys {
  /** One that was opened within the last seconds; undefined: `open` it. */
  opened(key: UpstreamKeyState): OpenKey | undefined;
  /** @throws AppError `upstream-unavailable` where there is nothing to open; `unreadable-secret`, `key-encryption-…` */
  open(key: UpstreamKeyState): Promise<OpenKey>;
}

/**
 * How long an open key is used again: opening costs a third of a call's CPU. Short beside what data keys are kept for, and a record that
 * changes (a rotation, a removal) is another one at once.
 */
const OPEN_FOR_MS = 5_000;

export function createKeys(envelope: Envelope, clock: Clock): Keys {
  const held = new WeakMap<UpstreamKeyState, { readonly key: OpenKey; readonly until: number }>();
  return {
    opened(key) {
      if (key === SIMULATOR_KEY) return SIMULATOR;
      const entry = held.get(key);
      if (entry === undefined) return undefined;
      if (entry.until > clock()) return entry.key;
      held.delete(key);
      return undefined;
    },

    async open(key) {
      const version = key.versions.find((one) => one.version === key.active);
      if (version === undefined) throw upstreamUnavailable('The upstream key has no version that can be used now.');
      const bytes = await openUpstreamKey(envelope, key, version);
      const open = { version: version.version, secret: bytes.toString('latin1') };
      bytes.fill(0);
      held.set(key, { key: open, until: clock() + OPEN_FOR_MS });
      return open;
    },
  };
}

const SIMULATOR: OpenKey = { version: 1, secret: SIMULATOR_SECRET };

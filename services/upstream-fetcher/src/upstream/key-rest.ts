import type { Clock } from '@weir/kernel';

/** What the upstream said of a key a moment ago, known in this process before it is known everywhere. */
export interface KeyRest {
  /** ms until the key may be used again after a 429; 0 = now. */
  pausedMs(keyId: string): number;
  /** Whether the key was refused a moment ago: in a pool it is tried last. One 401 is no verdict, so it is tried at all. */
  doubtful(keyId: string): boolean;
  pause(keyId: string, ms: number): void;
  doubt(keyId: string): void;
  /** The key works. True when anything was held against it. */
  clear(keyId: string): boolean;
}

const DOUBT_MS = 10_000;

export function keyRest(clock: Clock): KeyRest {
  const paused = new Map<string, number>();
  const doubted = new Map<string, number>();
  return {
    pausedMs: (keyId) => (paused.size === 0 ? 0 : Math.max(0, (paused.get(keyId) ?? 0) - clock())),
    doubtful: (keyId) => doubted.size > 0 && (doubted.get(keyId) ?? 0) > clock(),
    pause: (keyId, ms) => void paused.set(keyId, Math.max(paused.get(keyId) ?? 0, clock() + ms)),
    doubt: (keyId) => void doubted.set(keyId, clock() + DOUBT_MS),
    clear: (keyId) => {
      if (doubted.size === 0 && paused.size === 0) return false;
      // an answer to a call sent before the 429 does not end the pause
      const rested = (paused.get(keyId) ?? Infinity) <= clock() && paused.delete(keyId);
      return doubted.delete(keyId) || rested;
    },
  };
}

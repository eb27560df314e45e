import type { Clock } from '@weir/kernel';

/** Attempts in a row that failed, and how long nobody tries after them. */
const FAILURES = 10;
const OPEN_MS = 5_000;

interface Circuit {
  failures: number;
  openUntil: number;
}

/**
 * Per key and endpoint: after failures in a row nothing is sent for a while, then one call tries. Only trouble of the upstream counts;
 * what it says about a key or a user is an answer.
 */
export interface Breaker {
  /** ms until somebody may try; 0 = send. The one that is let through after a pause is the only one for a while. */
  waitMs(keyId: string, endpoint: string): number;
  succeeded(keyId: string, endpoint: string): void;
  failed(keyId: string, endpoint: string): void;
}

export function createBreaker(clock: Clock): Breaker {
  const circuits = new Map<string, Circuit>();
  const name = (keyId: string, endpoint: string) => `${keyId}/${endpoint}`;
  return {
    waitMs(keyId, endpoint) {
      if (circuits.size === 0) return 0;
      const circuit = circuits.get(name(keyId, endpoint));
      if (circuit === undefined || circuit.failures < FAILURES) return 0;
      const now = clock();
      if (circuit.openUntil > now) return circuit.openUntil - now;
      circuit.openUntil = now + OPEN_MS;
      return 0;
    },
    succeeded(keyId, endpoint) {
      if (circuits.size > 0) circuits.delete(name(keyId, endpoint));
    },
    failed(keyId, endpoint) {
      const circuit = circuits.get(name(keyId, endpoint)) ?? { failures: 0, openUntil: 0 };
      circuit.failures++;
      if (circuit.failures >= FAILURES) circuit.openUntil = clock() + OPEN_MS;
      circuits.set(name(keyId, endpoint), circuit);
    },
  };
}

import { randomUUID } from 'node:crypto';
import { sleep } from '@weir/kernel';
import { ask, type Answer, type Ask, type Asking } from './http';

export interface Watch {
  /** A request is on its way. */
  asked(method: string, path: string): void;
  /** It met nobody, or was broken off, and is made again. */
  again(method: string, path: string): void;
}

const PATIENCE_MS = 45_000;

/**
 * A client that does what Weir's answers advise: what was refused for a moment, or broken off, it asks again. Each of its POSTs bears an
 * Idempotency-Key, so that asking again is safe.
 */
export function patient(watch: Watch): Asking {
  return async (url, method, path, options = {}) => {
    const deadline = Date.now() + PATIENCE_MS;
    let sent = method === 'POST' ? withKey(options) : options;
    for (;;) {
      const asking = ask(url, method, path, sent);
      watch.asked(method, path);
      // an answer that was cut off in its middle is none
      const answer = await asking.catch((error: Error) => error);
      const verdict = answer instanceof Error ? 'again' : verdictOf(answer);
      if (verdict === 'final' || Date.now() > deadline) {
        if (answer instanceof Error) throw answer;
        return answer;
      }
      watch.again(method, path);
      if (verdict === 'anew') sent = withKey(options);
      await sleep(100);
    }
  };
}

const withKey = (options: Ask): Ask => ({ ...options, headers: { 'idempotency-key': randomUUID(), ...options.headers } });

function verdictOf({ status, body }: Answer): 'final' | 'again' | 'anew' {
  if (status === 503 || body?.code === 'service-failed' || body?.code === 'idempotency-in-progress') return 'again';
  // done, and what it showed once was lost with the process
  return body?.code === 'idempotency-not-replayable' ? 'anew' : 'final';
}

import { newUuid, type Clock, type TenantId } from '@weir/kernel';
import type { Journal } from './journal';
import { demandRecord } from './records';

const MINUTE_MS = 60_000;

interface Counted {
  readonly keyId: string;
  readonly tenantId: TenantId;
  admitted: number;
  readonly refused: Record<string, number>;
  waitedMs: number;
}

/** What was asked of each key: per minute and tenant how many calls were let in, refused by which limit, held how long. */
export interface DemandCount {
  admitted(tenantId: TenantId, keyId: string): void;
  refused(tenantId: TenantId, keyId: string, limitedBy: string): void;
  waited(tenantId: TenantId, keyId: string, ms: number): void;
  /** Publishes the minute so far and stops. */
  stop(): void;
}

export function countDemand(journal: Journal, clock: Clock): DemandCount {
  let counts = new Map<string, Counted>();
  let minute = minuteOf(clock());

  function publish(): void {
    for (const { keyId, tenantId, admitted, refused, waitedMs } of counts.values()) {
      journal.write(demandRecord({ eventId: newUuid(), keyId, tenantId, minute, admitted, refused, waitedMs }));
    }
    counts = new Map();
    minute = minuteOf(clock());
  }

  function of(tenantId: TenantId, keyId: string): Counted {
    if (clock() >= minute + MINUTE_MS) publish();
    const name = `${tenantId}/${keyId}`;
    let counted = counts.get(name);
    if (counted === undefined) counts.set(name, (counted = { keyId, tenantId, admitted: 0, refused: {}, waitedMs: 0 }));
    return counted;
  }

  // an idle process publishes its last minute too
  const timer = setInterval(() => {
    if (clock() >= minute + MINUTE_MS) publish();
  }, 5_000).unref();

  return {
    admitted: (tenantId, keyId) => void of(tenantId, keyId).admitted++,
    refused: (tenantId, keyId, limitedBy) => {
      const { refused } = of(tenantId, keyId);
      refused[limitedBy] = (refused[limitedBy] ?? 0) + 1;
    },
    waited: (tenantId, keyId, ms) => void (of(tenantId, keyId).waitedMs += Math.round(ms)),
    stop: () => {
      clearInterval(timer);
      publish();
    },
  };
}

const minuteOf = (ms: number): number => ms - (ms % MINUTE_MS);

import { newUuid, type Clock, type TenantId } from '@weir/kernel';
import type { Journal } from './journal';
import { demandRecord } from './records';

const MINUTE_MS = 60_000;

interface Counted {
  readonly keyId: string;
  readonly tenantId: TenantId;
  admitted: number;
  readonly refused: Record<string, number>;
  promised: number;
  waited: number;
  waitedMs: number;
  longestWaitMs: number;
  readonly shadow: Record<string, number>;
}

/** What was asked of each key: per minute and tenant how many calls were let in, refused by which limit, held how long. */
export interface DemandCount {
  admitted(tenantId: TenantId, keyId: string): void;
  /** @param promised whether the caller was told for certain when it is admitted */
  refused(tenantId: TenantId, keyId: string, limitedBy: string, promised: boolean): void;
  /** A call was held for a limit so long in all, whatever became of it. */
  waited(tenantId: TenantId, keyId: string, ms: number): void;
  /** A shadow policy would have refused it. */
  shadowed(tenantId: TenantId, keyId: string, limit: string): void;
  /** Publishes what has been counted so far and stops. */
  stop(): void;
}

/** @param everyMs how often what was counted is published; of a minute, several records add up */
export function countDemand(journal: Journal, clock: Clock, everyMs: number): DemandCount {
  let counts = new Map<TenantId, Map<string, Counted>>();
  let minute = minuteOf(clock());
  let until = untilOf(minute);

  function untilOf(start: number): number {
    return Math.min(clock() + everyMs, start + MINUTE_MS);
  }

  function publish(): void {
    for (const ofTenant of counts.values()) for (const counted of ofTenant.values()) journal.write(demandRecord({ eventId: newUuid(), minute, ...counted }));
    counts = new Map();
    minute = minuteOf(clock());
    until = untilOf(minute);
  }

  function of(tenantId: TenantId, keyId: string): Counted {
    if (clock() >= until) publish();
    let ofTenant = counts.get(tenantId);
    if (ofTenant === undefined) counts.set(tenantId, (ofTenant = new Map()));
    let counted = ofTenant.get(keyId);
    if (counted === undefined) ofTenant.set(keyId, (counted = nothing(tenantId, keyId)));
    return counted;
  }

  // an idle process publishes what came last, too
  const timer = setInterval(() => {
    if (clock() >= until) publish();
  }, Math.min(everyMs, 5_000)).unref();

  return {
    admitted: (tenantId, keyId) => void of(tenantId, keyId).admitted++,
    refused: (tenantId, keyId, limitedBy, promised) => {
      const counted = of(tenantId, keyId);
      add(counted.refused, limitedBy);
      if (promised) counted.promised++;
    },
    waited: (tenantId, keyId, ms) => {
      const counted = of(tenantId, keyId);
      counted.waited++;
      counted.waitedMs += Math.round(ms);
      counted.longestWaitMs = Math.max(counted.longestWaitMs, Math.round(ms));
    },
    shadowed: (tenantId, keyId, limit) => add(of(tenantId, keyId).shadow, limit),
    stop: () => {
      clearInterval(timer);
      publish();
    },
  };
}

const nothing = (tenantId: TenantId, keyId: string): Counted => ({
  tenantId,
  keyId,
  admitted: 0,
  refused: {},
  promised: 0,
  waited: 0,
  waitedMs: 0,
  longestWaitMs: 0,
  shadow: {},
});

const add = (counts: Record<string, number>, name: string): void => void (counts[name] = (counts[name] ?? 0) + 1);

const minuteOf = (ms: number): number => ms - (ms % MINUTE_MS);

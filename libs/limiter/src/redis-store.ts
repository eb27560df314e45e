import type { Clock } from '@weir/kernel';
import type { Cluster, Redis } from 'ioredis';
import { decided, decidedShared } from './decided';
import { kept, returned, settled, taken, type Operation } from './operation';
import { operationQueue } from './operation-queue';
import { dropped, takenOfShared } from './operation-shared';
import type { LimiterStore, TakeRef } from './port';
import { keptFor, keyOrder, keySlot, pauseMs, place, settledCredits, sharedOrder, standings, tenantOrder, type Order } from './rules';
import { PAUSE, runScript, SHARE, TAKE, type Arg } from './scripts';

/** In one script: some keep the server for a millisecond. */
const MOST = { takes: 128, sharing: 64 };

/**
 * The limiter of many processes: each step is one EVALSHA on keys of one hash slot (Redis 6.2 and later, Valkey), and of many steps at
 * once those of one tick are one EVALSHA. The connection is the caller's; `close` leaves it open.
 *
 * @param options.prefix begins every key.
 * @param options.testClock ms; takes the place of Redis's own time, for tests that own the time.
 * @param options.alone steps of a kind under way at once, above which those of one tick go together.
 */
export function redisLimiterStore(redis: Redis | Cluster, options: { prefix: string; testClock?: Clock; alone?: number }): LimiterStore {
  const { prefix, testClock, alone = 16 } = options;
  const now = (): Arg => (testClock ? Math.round(testClock() * 1000) : '');
  const base = (slot: string): string => `${prefix}:${slot}`;

  const takes = operationQueue({ redis, script: TAKE, base, now, alone, most: MOST.takes });
  const sharing = operationQueue({ redis, script: SHARE, base, now, alone, most: MOST.sharing });

  const take = async (order: Order) => decided(order, await takes(taken(order, 'take')));
  // a take of a key may have been charged to a share
  const end = (ref: TakeRef, operation: Operation<void>) => (ref.slot === 'key' ? sharing : takes)(operation);

  async function inspect(order: Order) {
    const looked = await takes(taken(order, 'look'));
    return looked.is === 'closed' ? [] : standings(order.rules, looked.uses);
  }

  return {
    takeTenant: async (tenantTake) => take(tenantOrder(tenantTake)),
    takeKey: async (keyTake) => {
      if (!keyTake.share) return take(keyOrder(keyTake));
      const order = sharedOrder(keyTake, keyTake.share);
      return decidedShared(order, await sharing(takenOfShared(order)));
    },
    giveBack: async (ref) => {
      const { slot, member } = place(ref);
      await end(ref, returned(slot, member));
    },
    settle: async (ref, credits) => {
      const { slot, member } = place(ref);
      await end(ref, settled(slot, member, settledCredits(credits)));
    },
    keep: async (ref, ticket, forMs) => {
      const { slot, member } = place(ref);
      await takes(kept(slot, member, ticket, keptFor(ticket, forMs)));
    },
    drop: async ({ keyId, tenant, ticket }) => {
      const { slot } = place({ slot: 'key', keyId, tenant, takeId: ticket });
      await sharing(dropped(slot, tenant, ticket));
    },
    pause: async (keyId, forMs) => void (await runScript(redis, PAUSE, [base(keySlot(keyId))], [now(), pauseMs(forMs)])),
    inspectTenant: async (of) => inspect(tenantOrder({ ...of, takeId: '-', cost: 0 })),
    inspectKey: async (of) => inspect(keyOrder({ ...of, tenant: '-', project: '-', takeId: '-' })),
    close: async () => {},
  };
}

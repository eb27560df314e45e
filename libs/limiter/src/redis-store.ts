import type { Clock } from '@weir/kernel';
import type { Cluster, Redis } from 'ioredis';
import { decided, decidedShared } from './decided';
import type { LimiterStore, TakeRef } from './port';
import { keptFor, keyOrder, keySlot, pauseMs, place, settledCredits, sharedOrder, standings, tenantOrder, type Order } from './rules';
import { CLOSE, DROP, KEEP, PAUSE, runScript, type Arg } from './scripts';
import { takeQueue } from './take-queue';
import { runShared } from './take-shared';

/**
 * The limiter of many processes: each step is one EVALSHA on keys of one hash slot (Redis 6.2 and later, Valkey), and of many steps at
 * once those of one tick are one EVALSHA. The connection is the caller's; `close` leaves it open.
 *
 * @param options.prefix begins every key.
 * @param options.testClock ms; takes the place of Redis's own time, for tests that own the time.
 * @param options.alone takes under way at once, above which those of one tick go together.
 */
export function redisLimiterStore(redis: Redis | Cluster, options: { prefix: string; testClock?: Clock; alone?: number }): LimiterStore {
  const { prefix, testClock, alone = 16 } = options;
  const now = (): Arg => (testClock ? Math.round(testClock() * 1000) : '');
  const base = (slot: string): string => `${prefix}:${slot}:`;

  const step = takeQueue({ redis, base, now, alone });
  const take = async (order: Order) => decided(order, await step(order, 'take'));

  async function end(ref: TakeRef, cost: Arg): Promise<void> {
    const { slot, member } = place(ref);
    await runScript(redis, CLOSE, [base(slot)], [now(), member, cost, ref.tenant]);
  }

  async function inspect(order: Order) {
    const looked = await step(order, 'look');
    return looked.is === 'closed' ? [] : standings(order.rules, looked.uses);
  }

  return {
    takeTenant: async (tenantTake) => take(tenantOrder(tenantTake)),
    takeKey: async (keyTake) => {
      if (!keyTake.share) return take(keyOrder(keyTake));
      const order = sharedOrder(keyTake, keyTake.share);
      return decidedShared(order, await runShared(redis, order, base(order.slot), now()));
    },
    giveBack: async (ref) => end(ref, ''),
    pause: async (keyId, forMs) => void (await runScript(redis, PAUSE, [base(keySlot(keyId))], [now(), pauseMs(forMs)])),
    keep: async (ref, ticket, forMs) => {
      const { slot, member } = place(ref);
      await runScript(redis, KEEP, [base(slot)], [now(), member, ticket, keptFor(ticket, forMs)]);
    },
    drop: async ({ keyId, tenant, ticket }) => {
      const { slot } = place({ slot: 'key', keyId, tenant, takeId: ticket });
      await runScript(redis, DROP, [base(slot)], [now(), tenant, ticket]);
    },
    settle: async (ref, credits) => end(ref, settledCredits(credits)),
    inspectTenant: async (of) => inspect(tenantOrder({ ...of, takeId: '-', cost: 0 })),
    inspectKey: async (of) => inspect(keyOrder({ ...of, tenant: '-', project: '-', takeId: '-' })),
    close: async () => {},
  };
}

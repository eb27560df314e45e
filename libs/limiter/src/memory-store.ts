import { systemClock, type Clock } from '@weir/kernel';
import { decided, decidedShared } from './decided';
import { dropSlot } from './fair-share';
import { takeShared } from './memory-shared';
import { close, emptySlot, keep, look, pause, type Slot, take } from './memory-slot';
import type { Admission, AtOnce, KeyTake, LimiterStore, Share, SlotRef, TakeRef, TenantRef } from './port';
import { keptFor, keyOrder, keySlot, type Order, pauseMs, place, settledCredits, sharedOrder, standings, tenantOrder } from './rules';
import { uncharge } from './sharing';

const SWEEP_EVERY_MS = 1_000;
const SWEEP_SLOTS = 10_000;
/** More than the one slot that a take can add. */
const SWEEP_PER_TAKE = 2;
const TAKES_A_SWEEP = 32;

/**
 * The limiter of a single process, and the model of the Redis one: the same rules over maps. Slots in which nothing counts any
 * more are dropped, a few with the takes and the rest by a timer that keeps no process alive.
 *
 * @param options.clock ms since the epoch; fractions count, down to a microsecond.
 */
export function memoryLimiterStore(options: { clock?: Clock } = {}): LimiterStore & { readonly slots: number } {
  const clock = options.clock ?? systemClock;
  const slots = new Map<string, Slot>();
  let cursor = slots.entries();
  let takes = 0;

  const nowMicros = () => Math.round(clock() * 1000);

  /** Goes round the slots, a few at a time. A map's iterator stays good while entries come and go. */
  function sweep(steps: number): void {
    const now = nowMicros();
    for (let i = 0; i < Math.min(steps, slots.size); i++) {
      const next = cursor.next();
      if (next.done) cursor = slots.entries();
      else if (next.value[1].keepUntilMicros <= now) slots.delete(next.value[0]);
    }
  }
  const timer = setInterval(() => sweep(SWEEP_SLOTS), SWEEP_EVERY_MS).unref();

  /** Every so many takes: garbage shrinks under load too. */
  function swept(): void {
    takes = (takes + 1) % TAKES_A_SWEEP;
    if (takes === 0) sweep(SWEEP_PER_TAKE * TAKES_A_SWEEP);
  }

  function enter(order: Order): Admission {
    const known = slots.get(order.slot);
    const slot = known ?? emptySlot();
    const verdict = take(slot, order, nowMicros());
    // a refused stranger leaves nothing
    if (known === undefined && verdict.is === 'admitted') slots.set(order.slot, slot);
    swept();
    return decided(order, verdict);
  }

  function end(ref: TakeRef, cost: number | undefined): void {
    const { slot, member } = place(ref);
    const found = slots.get(slot);
    const returned = found && close(found, member, cost, nowMicros());
    const charged = returned?.charged;
    if (found?.sharing && charged) uncharge(found.sharing, charged.tenant, charged.amount);
  }

  function enterShared(keyTake: KeyTake, share: Share): Admission {
    const order = sharedOrder(keyTake, share);
    let slot = slots.get(order.slot);
    if (slot === undefined) slots.set(order.slot, (slot = emptySlot()));
    const verdict = takeShared(slot, order, nowMicros());
    swept();
    return decidedShared(order, verdict);
  }

  function keepTake(ref: TenantRef, ticket: string, forMs: number): void {
    const { slot, member } = place(ref);
    const found = slots.get(slot);
    if (found) keep(found, member, ticket, keptFor(ticket, forMs), nowMicros());
  }

  function drop({ keyId, tenant, ticket }: SlotRef): void {
    const sharing = slots.get(place({ slot: 'key', keyId, tenant, takeId: ticket }).slot)?.sharing;
    if (sharing) dropSlot(sharing, tenant, ticket);
  }

  function pauseKey(keyId: string, forMs: number): void {
    const name = keySlot(keyId);
    const slot = slots.get(name) ?? emptySlot();
    pause(slot, pauseMs(forMs), nowMicros());
    slots.set(name, slot);
  }

  const inspect = (order: Order) => standings(order.rules, look(slots.get(order.slot) ?? emptySlot(), order, nowMicros()));

  const atOnce: AtOnce = {
    takeTenant: (tenantTake) => enter(tenantOrder(tenantTake)),
    takeKey: (keyTake) => (keyTake.share ? enterShared(keyTake, keyTake.share) : enter(keyOrder(keyTake))),
    giveBack: (ref) => end(ref, undefined),
    keep: keepTake,
    drop,
    settle: (ref, credits) => end(ref, settledCredits(credits)),
  };

  return {
    atOnce,
    takeTenant: async (tenantTake) => atOnce.takeTenant(tenantTake),
    takeKey: async (keyTake) => atOnce.takeKey(keyTake),
    giveBack: async (ref) => atOnce.giveBack(ref),
    keep: async (ref, ticket, forMs) => keepTake(ref, ticket, forMs),
    drop: async (ref) => drop(ref),
    settle: async (ref, credits) => atOnce.settle(ref, credits),
    pause: async (keyId, forMs) => pauseKey(keyId, forMs),
    inspectTenant: async (of) => inspect(tenantOrder({ ...of, takeId: '-', cost: 0 })),
    inspectKey: async (of) => inspect(keyOrder({ ...of, tenant: '-', project: '-', takeId: '-' })),
    close: async () => clearInterval(timer),
    get slots() {
      return slots.size;
    },
  };
}

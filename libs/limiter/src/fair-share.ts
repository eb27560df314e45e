import type { Priority } from './port';
import {
  CALM_MICROS,
  charge,
  HORIZON_MICROS,
  MOST_QUOTA,
  move,
  newSharer,
  putIn,
  takeOut,
  uncharge,
  type OpenSlot,
  type Sharer,
  type Sharing,
} from './sharing';

/** From a slot's time on, any call of its tenant may take it this much later, while the tenant brings no tickets. */
const WITHOUT_TICKET_MICROS = 250_000;
/** How many calls ahead of its share a tenant may be and be admitted at once while others wait: where the bucket is half full; a calm one. */
const AHEAD = 1;
const AHEAD_CALM = 2;
/** Nobody is told to come back sooner without a slot. */
const LEAST_WAIT_MICROS = 1_000_000;
const SOONEST_MICROS = 1_000;
/** With more open slots than this nothing is fitted in between. */
export const MOST_WALKED = 1_000;

export interface ShareOrder {
  readonly tenant: string;
  /** Thousandths. */
  readonly weight: number;
  readonly priority: Priority;
  readonly takeId: string;
  readonly ticket: string | undefined;
  readonly calls: number;
  readonly capacity: number;
  readonly everyNs: number;
}

export type ShareVerdict =
  /** `charged`: on the tenant's tag. */
  | { readonly is: 'admitted'; readonly by: 'slot' | 'share' | 'free'; readonly charged: number }
  | { readonly is: 'refused'; readonly waitMicros: number; readonly slot: OpenSlot | undefined };

/**
 * Whether a call may go on a shared key now, and else when: the model of share.lua; docs/adr/fair-slots.md says why.
 *
 * @param levelNs what the key's bucket holds
 * @param now the key's own time, to which `sharing` was advanced
 */
export function takeShare(sharing: Sharing, order: ShareOrder, levelNs: number, now: number): ShareVerdict {
  const { tenant, weight, calls, everyNs, capacity } = order;
  const costNs = calls * everyNs;
  const reserveNs = reserve(order);
  const unbookedNs = levelNs - sharing.openCalls * everyNs;
  const charged = calls / weight;
  const sharer = sharing.sharers.get(tenant) ?? newSharer();
  if (order.ticket !== undefined) sharer.bringsTickets = true;

  const own = ownSlot(sharing, sharer, order);
  if (own) {
    const early = own.atMicros > now;
    if (early ? unbookedNs + own.calls * everyNs >= reserveNs + costNs : levelNs >= costNs) {
      claim(sharing, tenant, sharer, own);
      return { is: 'admitted', by: 'slot', charged };
    }
    if (early) return { is: 'refused', waitMicros: own.atMicros - now, slot: own };
    // the key gives less than it did when the slot was given
    const waitMicros = Math.ceil((costNs - levelNs) / 1000);
    const later = { ...own, atMicros: now + waitMicros };
    move(sharing, tenant, sharer, own, later);
    return { is: 'refused', waitMicros, slot: later };
  }
  const due = levelNs >= costNs ? dueSlot(sharer, order, now) : undefined;
  if (due) {
    claim(sharing, tenant, sharer, due);
    return { is: 'admitted', by: 'slot', charged };
  }

  const { lead, most, fairWaitMicros } = standingOf(sharing, order);
  const before = Math.min(lead, most);
  if (unbookedNs >= reserveNs + costNs) {
    if (sharing.open.size === 0) return { is: 'admitted', by: 'free', charged: 0 };
    charge(sharing, tenant, sharer, weight, before, calls);
    return { is: 'admitted', by: 'free', charged };
  }
  const calm = sharer.slots.length === 0 && now - sharer.slotAtMicros >= CALM_MICROS;
  const ahead = lead * weight - 1e-6;
  const withinShare = ahead <= (calm ? AHEAD_CALM : 0);
  // what nobody comes for is not left to be lost: the fuller the bucket, the less it matters who takes it
  const halfFull = levelNs * 2 >= capacity * everyNs && ahead <= AHEAD;
  const nearlyFull = levelNs * 10 >= capacity * everyNs * 7;
  if ((withinShare || halfFull || nearlyFull) && fits(sharing, order, levelNs, now, now, calm ? 0 : reserveNs).fits) {
    charge(sharing, tenant, sharer, weight, before, calls);
    return { is: 'admitted', by: 'share', charged };
  }

  const more = sharer.slots.length > 0;
  if (more && (sharer.slots.length >= sharer.quota || fairWaitMicros > HORIZON_MICROS))
    return { is: 'refused', waitMicros: Math.max(LEAST_WAIT_MICROS, fairWaitMicros), slot: undefined };
  const atMicros = slotTime(sharing, order, levelNs, now, Math.max(fairWaitMicros, SOONEST_MICROS));
  if (more && atMicros - now > HORIZON_MICROS) return { is: 'refused', waitMicros: atMicros - now, slot: undefined };
  const slot = give(sharing, order, sharer, atMicros, now);
  charge(sharing, tenant, sharer, weight, before, calls);
  return { is: 'refused', waitMicros: slot.atMicros - now, slot };
}

/** How far ahead of its share a tenant is, in virtual time, and how long until it is not. */
export function standingOf(
  sharing: Sharing,
  of: Pick<ShareOrder, 'tenant' | 'weight' | 'calls' | 'everyNs'>,
): { lead: number; most: number; busyWeight: number; fairWaitMicros: number } {
  const busyWeight = sharing.weight - (sharing.sharers.get(of.tenant)?.weight ?? 0) + of.weight;
  const tag = sharing.ahead.scoreOf(of.tenant);
  // what was had while few wanted it is no debt to the many who came since
  const most = Math.max((HORIZON_MICROS * 1000) / of.everyNs / busyWeight, of.calls / of.weight);
  const lead = tag === undefined ? 0 : Math.min(tag - sharing.virtual, most + of.calls / of.weight);
  return { lead, most, busyWeight, fairWaitMicros: Math.ceil((lead * busyWeight * of.everyNs) / 1000) };
}

/** Nobody will come for the slot of this ticket. */
export function dropSlot(sharing: Sharing, tenant: string, ticket: string): void {
  const sharer = sharing.sharers.get(tenant);
  const slot = sharer?.slots.find((each) => each.ticket === ticket);
  if (!sharer || !slot) return;
  const charged = slot.calls / sharer.weight;
  takeOut(sharing, tenant, sharer, slot);
  uncharge(sharing, tenant, charged);
}

/** Of the bucket, for tenants below their share; never so much that a call of this size would not fit beside it. */
const reserve = ({ capacity, calls, everyNs }: ShareOrder): number =>
  Math.min(Math.floor(capacity / 5), capacity - calls) * everyNs;

function claim(sharing: Sharing, tenant: string, sharer: Sharer, slot: OpenSlot): void {
  sharer.quota = Math.min(MOST_QUOTA, sharer.quota + 1);
  takeOut(sharing, tenant, sharer, slot);
}

/** The slot of the call's ticket, or the one that this very call was given before. One that is too small for it now is dropped. */
function ownSlot(sharing: Sharing, sharer: Sharer, { tenant, ticket, takeId, calls }: ShareOrder): OpenSlot | undefined {
  const ofTicket = sharer.slots.find((slot) => slot.ticket === ticket && slot.calls >= calls);
  if (ofTicket) return ofTicket;
  const before = sharer.slots.find((slot) => slot.ticket === takeId);
  if (!before || before.calls >= calls) return before;
  dropSlot(sharing, tenant, takeId);
  return undefined;
}

/** A slot that this call may take without its ticket: a batch call's, for an interactive one; any of its kind, where no tickets are brought. */
function dueSlot(sharer: Sharer, { calls, priority }: ShareOrder, now: number): OpenSlot | undefined {
  let due: OpenSlot | undefined;
  for (const slot of sharer.slots) {
    const free =
      slot.priority === priority
        ? !sharer.bringsTickets && slot.atMicros + WITHOUT_TICKET_MICROS <= now
        : priority === 'interactive' && slot.atMicros <= now;
    if (free && slot.calls >= calls && (!due || slot.atMicros < due.atMicros)) due = slot;
  }
  return due;
}

/** The caller's fair time where the slots that are open allow it; else when all of them are paid for; else after the last. */
function slotTime(sharing: Sharing, order: ShareOrder, levelNs: number, now: number, fairWaitMicros: number): number {
  const { calls, everyNs } = order;
  const reserveNs = reserve(order);
  const fair = now + fairWaitMicros;
  const atFair = fits(sharing, order, levelNs, now, fair, reserveNs);
  if (atFair.fits) return fair;
  const paid = now + Math.ceil((sharing.openCalls * everyNs + reserveNs + calls * everyNs - levelNs) / 1000);
  const atPaid = Math.max(fair, paid);
  if (sharing.open.size > MOST_WALKED || fits(sharing, order, levelNs, now, atPaid, reserveNs).fits) return atPaid;
  const { levelNs: last, atMicros } = fits(sharing, order, levelNs, now, Infinity, 0);
  return Math.max(fair, atMicros + Math.max(0, Math.ceil((reserveNs + calls * everyNs - last) / 1000)));
}

/** Of a tenant's slots the earliest are its interactive calls': a batch call's that is earlier is exchanged. */
function give(sharing: Sharing, order: ShareOrder, sharer: Sharer, atMicros: number, now: number): OpenSlot {
  const { tenant, calls, priority, takeId } = order;
  let slot: OpenSlot = { atMicros, calls, priority, ticket: takeId };
  let earlier: OpenSlot | undefined;
  if (priority === 'interactive')
    for (const other of sharer.slots)
      if (other.priority === 'batch' && other.calls === calls && other.atMicros < (earlier?.atMicros ?? atMicros)) earlier = other;
  if (earlier) {
    move(sharing, tenant, sharer, earlier, { ...earlier, atMicros });
    slot = { ...slot, atMicros: Math.max(earlier.atMicros, now + SOONEST_MICROS) };
  }
  putIn(sharing, tenant, sharer, slot);
  sharing.recent.set(tenant, now, null);
  sharer.slotAtMicros = now;
  return slot;
}

/**
 * Whether the bucket would never hold less than `marginNs` from `at` on, all open slots claimed in time, with the call's cost taken at
 * `at`; and what it holds after the last slot. Once the bucket has been full, what was taken before makes no difference.
 */
function fits(
  sharing: Sharing,
  { calls, capacity, everyNs }: ShareOrder,
  levelNs: number,
  now: number,
  at: number,
  marginNs: number,
): { fits: boolean; levelNs: number; atMicros: number } {
  const fullNs = capacity * everyNs;
  let [level, without, from, placed] = [levelNs, levelNs, now, false];
  const to = (time: number) => {
    level = Math.min(fullNs, level + (time - from) * 1000);
    without = Math.min(fullNs, without + (time - from) * 1000);
    from = time;
  };
  const place = () => {
    to(at);
    level -= calls * everyNs;
    placed = true;
    return level >= marginNs;
  };
  const not = { fits: false, levelNs: level, atMicros: from };
  if (sharing.open.size > MOST_WALKED) return not;
  for (const { slot } of sharing.open.values()) {
    if (!placed && slot.atMicros >= at && !place()) return not;
    to(Math.max(slot.atMicros, from));
    if (placed && level === without) return { fits: true, levelNs: level, atMicros: from };
    level -= slot.calls * everyNs;
    without -= slot.calls * everyNs;
    if (placed && level < marginNs) return not;
  }
  if (!placed && at !== Infinity && !place()) return not;
  return { fits: true, levelNs: level, atMicros: from };
}

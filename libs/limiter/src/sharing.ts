import type { Priority } from './port';
import { Sorted } from './sorted';

/** No-shows: a slot is kept this long after its time. */
export const GRACE_MICROS = 2_000_000;
/** Slots beyond a tenant's first are booked this far ahead, and no tenant is further ahead of its share than this, or one call. */
export const HORIZON_MICROS = 20_000_000;
/** A tenant without a slot for this long is calm. */
export const CALM_MICROS = 10_000_000;
/** Open slots of a tenant: what it begins with, and at most. Each one claimed is one more, each one missed halves it. */
export const FIRST_QUOTA = 2;
export const MOST_QUOTA = 16;
/** No-shows, and tenants to forget, that one take clears. */
const CLEARED_PER_TAKE = 8;

/** A slot that is kept for a call to come. */
export interface OpenSlot {
  readonly atMicros: number;
  readonly calls: number;
  readonly priority: Priority;
  readonly ticket: string;
}

/** A tenant that shares the key now. */
export interface Sharer {
  /** Thousandths; 0 while it is not busy: its tag is not ahead, and it has no open slot. */
  weight: number;
  quota: number;
  /** When it last was given a slot. */
  slotAtMicros: number;
  /** It brings its tickets: then no call without one takes a slot of it. */
  bringsTickets: boolean;
  /** In the order of their giving. */
  slots: OpenSlot[];
}

/**
 * Who has had how much of a shared key: a virtual time that passes at the key's rate divided by the weights of the busy tenants, and
 * per tenant a tag, which is what it was given (calls / weight) on that time. Who has less than its share is not ahead of it.
 */
export interface Sharing {
  virtual: number;
  /** In the key's own time, which never goes back: the store's plus `skewMicros`. */
  atMicros: number;
  skewMicros: number;
  /** Of the busy tenants. */
  weight: number;
  openCalls: number;
  readonly sharers: Map<string, Sharer>;
  /** The tags that are ahead of the virtual time, by tenant. */
  readonly ahead: Sorted<null>;
  /** By their time. */
  readonly open: Sorted<{ readonly tenant: string; readonly slot: OpenSlot }>;
  /** Tenants by when they were last given a slot. A calm tenant that is not busy is forgotten. */
  readonly recent: Sorted<null>;
}

export const emptySharing = (): Sharing => ({
  virtual: 0,
  atMicros: 0,
  skewMicros: 0,
  weight: 0,
  openCalls: 0,
  sharers: new Map(),
  ahead: new Sorted(),
  open: new Sorted(),
  recent: new Sorted(),
});

export const newSharer = (): Sharer => ({ weight: 0, quota: FIRST_QUOTA, slotAtMicros: 0, bringsTickets: false, slots: [] });

/** To the store's `nowMicros`: virtual time passes, no-shows lose their slots, calm tenants are forgotten. Answers the key's own time. */
export function advance(sharing: Sharing, nowMicros: number, everyNs: number): number {
  let now = nowMicros + sharing.skewMicros;
  if (now < sharing.atMicros) {
    sharing.skewMicros = sharing.atMicros - nowMicros;
    now = sharing.atMicros;
  }
  passVirtualTime(sharing, (now - sharing.atMicros) * 1000, everyNs);
  sharing.atMicros = now;

  for (let i = 0; i < CLEARED_PER_TAKE; i++) {
    const first = sharing.open.first;
    if (!first || first.score + GRACE_MICROS >= now) break;
    const { tenant, slot } = first.value;
    const sharer = sharing.sharers.get(tenant);
    if (!sharer) break;
    takeOut(sharing, tenant, sharer, slot);
    sharer.quota = Math.max(1, Math.floor(sharer.quota / 2));
  }
  for (let i = 0; i < CLEARED_PER_TAKE; i++) {
    const first = sharing.recent.first;
    if (!first || first.score + CALM_MICROS > now) break;
    sharing.recent.delete(first.member);
    if (sharing.sharers.get(first.member)?.weight === 0) sharing.sharers.delete(first.member);
  }
  return now;
}

function passVirtualTime(sharing: Sharing, passedNs: number, everyNs: number): void {
  let left = passedNs;
  while (left > 0 && sharing.weight > 0) {
    const first = sharing.ahead.first;
    if (!first) {
      sharing.virtual += left / everyNs / sharing.weight;
      return;
    }
    const needNs = Math.max(0, (first.score - sharing.virtual) * sharing.weight * everyNs);
    if (needNs > left) {
      sharing.virtual += left / everyNs / sharing.weight;
      return;
    }
    sharing.virtual = Math.max(sharing.virtual, first.score);
    setTag(sharing, first.member, undefined);
    left -= needNs;
    rest(sharing, first.member);
  }
}

/** A tenant whose tag is not ahead and that has no open slot is busy no longer. Alone with nobody, virtual time begins anew. */
export function rest(sharing: Sharing, tenant: string): void {
  const sharer = sharing.sharers.get(tenant);
  if (!sharer || sharer.weight === 0 || sharer.slots.length > 0 || sharing.ahead.scoreOf(tenant) !== undefined) return;
  sharing.weight -= sharer.weight;
  sharer.weight = 0;
  if (sharing.weight === 0) sharing.virtual = 0;
  if (sharer.slotAtMicros + CALM_MICROS <= sharing.atMicros) sharing.sharers.delete(tenant);
}

/** Counts `calls` after `lead` (of virtual time, from now). */
export function charge(sharing: Sharing, tenant: string, sharer: Sharer, weight: number, lead: number, calls: number): void {
  sharing.sharers.set(tenant, sharer);
  sharing.weight += weight - sharer.weight;
  sharer.weight = weight;
  setTag(sharing, tenant, sharing.virtual + lead + calls / weight);
}

/** What was charged for never took place. */
export function uncharge(sharing: Sharing, tenant: string, amount: number): void {
  const tag = sharing.ahead.scoreOf(tenant);
  if (tag === undefined) return;
  setTag(sharing, tenant, tag - amount > sharing.virtual ? tag - amount : undefined);
  rest(sharing, tenant);
}

function setTag(sharing: Sharing, tenant: string, tag: number | undefined): void {
  if (tag === undefined) sharing.ahead.delete(tenant);
  else sharing.ahead.set(tenant, tag, null);
}

const memberOf = (tenant: string, { calls, ticket }: OpenSlot): string => `${calls} ${tenant} ${ticket}`;

export function putIn(sharing: Sharing, tenant: string, sharer: Sharer, slot: OpenSlot): void {
  sharer.slots.push(slot);
  sharing.open.set(memberOf(tenant, slot), slot.atMicros, { tenant, slot });
  sharing.openCalls += slot.calls;
}

/** The slot is claimed, dropped or missed. */
export function takeOut(sharing: Sharing, tenant: string, sharer: Sharer, slot: OpenSlot): void {
  sharer.slots = sharer.slots.filter((other) => other !== slot);
  sharing.open.delete(memberOf(tenant, slot));
  sharing.openCalls -= slot.calls;
  rest(sharing, tenant);
}

export function move(sharing: Sharing, tenant: string, sharer: Sharer, slot: OpenSlot, to: OpenSlot): void {
  sharing.open.delete(memberOf(tenant, slot));
  sharer.slots = sharer.slots.map((other) => (other === slot ? to : other));
  sharing.open.set(memberOf(tenant, to), to.atMicros, { tenant, slot: to });
}

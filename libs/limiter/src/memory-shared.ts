import type { SharedVerdict, ShareUse } from './decided';
import { standingOf, takeShare } from './fair-share';
import {
  debtAt,
  forget,
  keepUntil,
  pausedMicros,
  lend,
  remember,
  remembered,
  resumeTime,
  setDebt,
  slotsInUse,
  waitForSlots,
  wasClosed,
  type Slot,
} from './memory-slot';
import type { SharedOrder, Use } from './rules';
import { advance, CALM_MICROS, emptySharing, GRACE_MICROS, HORIZON_MICROS, type Sharing } from './sharing';

/** A take on a shared key: its concurrency, and its bucket as the fair share divides it. The model of share.lua. */
export function takeShared(slot: Slot, order: SharedOrder, nowMicros: number): SharedVerdict {
  forget(slot, nowMicros);
  resumeTime(slot, order.rules, nowMicros);
  const held = remembered(slot, order.member, nowMicros);
  if (held === undefined && wasClosed(slot, order.member, nowMicros)) return { is: 'closed' };
  const [bucket, slots] = order.rules;
  const { capacity, everyNs } = bucket;
  const { calls, leaseMs, member, rememberMs, tenant } = order;
  const sharing = (slot.sharing ??= emptySharing());
  const now = advance(sharing, nowMicros, everyNs);
  let debtNs = debtAt(slot.buckets.get(bucket.field), bucket, nowMicros);
  let inFlight = slots === undefined ? 0 : slotsInUse(slot, nowMicros);
  const after = () => ({ uses: uses(debtNs, everyNs, slots && inFlight), share: shareUse(sharing, order) });

  if (held) return { is: 'admitted', by: undefined, ...after() };
  const pauseMicros = pausedMicros(slot, nowMicros);
  if (pauseMicros > 0) return { is: 'paused', waitMicros: pauseMicros, ...after() };
  if (calls > capacity) return { is: 'refused', by: bucket, waitMicros: null, slot: undefined, ...after() };
  const waitMicros = slots ? waitForSlots(slot, slots, inFlight, nowMicros) : 0;
  if (slots && waitMicros !== 0) return { is: 'refused', by: slots, waitMicros, slot: undefined, ...after() };

  const verdict = takeShare(sharing, { ...order, capacity, everyNs }, capacity * everyNs - debtNs, now);
  if (verdict.is === 'refused') {
    keepUntil(slot, nowMicros + needMicros(sharing, order, verdict.waitMicros));
    return { ...verdict, by: undefined, ...after() };
  }
  debtNs += calls * everyNs;
  setDebt(slot, bucket.field, debtNs, nowMicros, everyNs);
  const leaseMicros = slots === undefined ? undefined : lend(slot, leaseMs, nowMicros);
  if (slots) inFlight += 1;
  const { by, charged } = verdict;
  remember(slot, member, {
    untilMicros: nowMicros + rememberMs * 1000,
    cost: 0,
    calls,
    buckets: KEY_BUCKET,
    day: undefined,
    month: undefined,
    leaseMicros,
    charged: charged > 0 ? { tenant, amount: charged } : undefined,
  });
  keepUntil(slot, nowMicros + needMicros(sharing, order, 0));
  return { is: 'admitted', by, ...after() };
}

const KEY_BUCKET: readonly string[] = ['key'];

/** How long what was given can matter: until the slot's grace is over and the tag is no longer ahead. */
function needMicros(sharing: Sharing, { calls, weight, rules: [{ everyNs }] }: SharedOrder, waitMicros: number): number {
  const roundMicros = (calls * sharing.weight * everyNs) / weight / 1000;
  return waitMicros + GRACE_MICROS + CALM_MICROS + HORIZON_MICROS + 2 * roundMicros;
}

function uses(debtNs: number, everyNs: number, inFlight: number | undefined): readonly Use[] {
  const bucket = { used: Math.ceil(debtNs / everyNs), resetMicros: Math.ceil(debtNs / 1000) };
  return inFlight === undefined ? [bucket] : [bucket, { used: inFlight, resetMicros: 0 }];
}

function shareUse(sharing: Sharing, order: SharedOrder): ShareUse {
  const { lead, busyWeight, fairWaitMicros } = standingOf(sharing, {
    tenant: order.tenant,
    weight: order.weight,
    calls: order.calls,
    everyNs: order.rules[0].everyNs,
  });
  return { busyWeight, calls: Math.max(0, Math.ceil(lead * order.weight - 1e-9)), resetMicros: fairWaitMicros };
}

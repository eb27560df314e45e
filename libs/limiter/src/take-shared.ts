import type { Cluster, Redis } from 'ioredis';
import type { SharedVerdict } from './decided';
import type { Priority } from './port';
import type { SharedOrder, Use } from './rules';
import { runScript, SHARE, type Arg } from './scripts';

export async function runShared(redis: Redis | Cluster, order: SharedOrder, base: string, now: Arg): Promise<SharedVerdict> {
  const [{ capacity, everyNs }, slots] = order.rules;
  const { member, tenant, takeId, ticket = '', weight, priority, calls, leaseMs, rememberMs } = order;
  const rules = [capacity, everyNs, slots?.limit ?? ''];
  const args = [now, member, tenant, takeId, ticket, weight, priority, calls, leaseMs, rememberMs, ...rules];
  return verdict(order, await runScript(redis, SHARE, [base], args));
}

/** Reads share.lua's answer. */
function verdict({ rules }: SharedOrder, answer: string): SharedVerdict {
  const words = answer.split(',');
  const [code = 0, waitMicros = 0, , busyWeight = 0, calls = 0, resetMicros = 0, used = 0, bucketReset = 0, inFlight = 0] =
    words.map(Number);
  if (code === -2) return { is: 'closed' };
  const bucket: Use = { used, resetMicros: bucketReset };
  const uses = rules.length > 1 ? [bucket, { used: inFlight, resetMicros: 0 }] : [bucket];
  const share = { busyWeight, calls, resetMicros };
  // a ticket may have commas in it
  const [by, priority = '-', ticket] = [words[2], words[9], words.slice(10).join(',')];
  if (code === 4) return { is: 'paused', waitMicros, uses, share };
  if (code === 0) return { is: 'admitted', by: by === '-' ? undefined : (by as 'slot' | 'share' | 'free'), uses, share };
  return {
    is: 'refused',
    by: code === 3 ? undefined : rules[code - 1],
    waitMicros: waitMicros < 0 ? null : waitMicros,
    slot: priority === '-' ? undefined : { ticket, priority: priority as Priority },
    uses,
    share,
  };
}

import type { SharedVerdict } from './decided';
import type { Answers, Operation } from './operation';
import type { Priority } from './port';
import type { SharedOrder, Use } from './rules';

export const dropped = (slot: string, tenant: string, ticket: string): Operation<void> => ({ slot, spec: 'drop', args: [tenant, ticket], read: () => undefined });

export function takenOfShared(order: SharedOrder): Operation<SharedVerdict> {
  const [{ capacity, everyNs }, slots] = order.rules;
  const { slot, tenant, takeId, ticket, weight, priority, calls, leaseMs, rememberMs } = order;
  const kind = ticket === undefined ? 'take' : 'ticket';
  return {
    slot,
    spec: `${kind} ${weight} ${priority} ${calls} ${leaseMs} ${rememberMs} ${capacity} ${everyNs} ${slots?.limit ?? '-'}`,
    args: ticket === undefined ? [tenant, takeId] : [tenant, takeId, ticket],
    read: (answers) => verdict(order, answers),
  };
}

const BY = [undefined, 'slot', 'share', 'free'] as const;
const PRIORITIES: readonly (Priority | undefined)[] = [undefined, 'interactive', 'batch'];

function verdict({ rules }: SharedOrder, answers: Answers): SharedVerdict {
  const code = answers.number();
  if (code === -2) return { is: 'closed' };
  const waitMicros = answers.number();
  const by = BY[answers.number()];
  const share = { busyWeight: answers.number(), calls: answers.number(), resetMicros: answers.number() };
  const debtNs = answers.number();
  const inFlight = answers.number();
  const priority = PRIORITIES[answers.number()];
  const ticket = priority && answers.text();
  const bucket: Use = { used: Math.ceil(debtNs / rules[0].everyNs), resetMicros: Math.ceil(debtNs / 1000) };
  const uses = rules.length > 1 ? [bucket, { used: inFlight, resetMicros: 0 }] : [bucket];
  if (code === 4) return { is: 'paused', waitMicros, uses, share };
  if (code === 0) return { is: 'admitted', by, uses, share };
  return {
    is: 'refused',
    by: code === 3 ? undefined : rules[code - 1],
    waitMicros: waitMicros < 0 ? null : waitMicros,
    slot: priority && ticket !== undefined ? { ticket, priority } : undefined,
    uses,
    share,
  };
}

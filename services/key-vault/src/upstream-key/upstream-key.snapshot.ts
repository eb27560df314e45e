import { keyCheck, type Rejection } from '@weir/contracts';
import type { Snapshots } from '@weir/kernel';
import { z } from 'zod';
import type { UpstreamKey } from './upstream-key';

const REJECTIONS = ['unauthorized', 'out-of-credits', 'rate-limited', 'unreachable'] as const satisfies readonly Rejection[];

const registered = z.strictObject({
  is: z.literal('registered'),
  keyId: z.string(),
  label: z.string(),
  upstream: z.string().optional(),
  status: z.enum(['usable', 'invalid', 'depleted', 'quarantined']),
  weight: z.number(),
  forecast: z.number().optional(),
  versions: z.array(
    z.strictObject({
      version: z.int(),
      state: z.enum(['candidate', 'active', 'draining', 'destroyed', 'rejected']),
      fingerprint: z.string(),
      last4: z.string(),
      drainUntil: z.number().optional(),
      because: z.enum(REJECTIONS).optional(),
    }),
  ),
  scopes: z.array(z.string()),
  lastCheck: z
    .strictObject({ at: z.number(), version: z.int(), outcome: z.enum(['accepted', ...REJECTIONS]), checks: z.array(keyCheck) })
    .optional(),
  refusals: z.int(),
});
const state = z.discriminatedUnion('is', [z.strictObject({ is: z.literal('unknown') }), z.strictObject({ is: z.literal('removed') }), registered]);

/** A key's stream never ends growing: each look at it is an event, daily at least, and each refusal that the upstream signals brings another. */
export const upstreamKeySnapshots: Snapshots<UpstreamKey> = {
  // another number with every change of `evolve` or of the state
  reducer: 'upstream-key/2',
  every: 100,
  parse: (kept) => state.parse(kept) as UpstreamKey,
};

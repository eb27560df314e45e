import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { tenantId } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

/** The limits that every tenant may have; beside them `endpoint:<id>`, a bucket for each endpoint of the catalog. */
export const LIMIT_NAMES = ['tenant-bucket', 'daily-quota', 'monthly-quota', 'concurrency'] as const;
export type LimitName = (typeof LIMIT_NAMES)[number] | `endpoint:${string}`;

/** A limit's name, or a pattern in which `*` stands for any characters: `endpoint:*`, `*-quota`. */
const limitPattern = () => plain(z.string().regex(/^[a-z0-9:*-]{1,80}$/));

const overrideShape = {
  name: limitPattern(),
  /** The bucket's capacity, the quota's credits, or the number of calls at once. Null, in shadow mode alone: what holds without this. */
  limit: plain(z.number().int().nonnegative().max(1e9).nullable()),
  /** Of a bucket alone. */
  refillPerSecond: plain(z.number().positive().max(1e6).nullable()),
  expiresAt: plain(z.number().int().nullable()),
  /** Decides and counts beside what holds, and refuses nothing. */
  shadow: plain(z.boolean()),
};
export const limitOverride = z.object(overrideShape);
export type LimitOverride = z.infer<typeof limitOverride>;

const topic = eventsTopic('limit-policy');
export const limitOverrideSet = event(topic, 'limit-policy.override-set', 'Limits of one tenant, other than its plan says, or tried in the shadow.', overrideShape);
export const limitOverrideRemoved = event(topic, 'limit-policy.override-removed', "The plan's limit holds again, or a trial in the shadow is over.", {
  name: limitPattern(),
  shadow: plain(z.boolean()),
});
export type LimitPolicyEvent = FactOf<typeof limitOverrideSet | typeof limitOverrideRemoved>;

export const limitPolicyState = record(
  stateTopic('limit-policy'),
  'limit-policy.state',
  "A tenant's overrides.",
  z.object({ tenantId: tenantId(), overrides: z.array(limitOverride) }),
);
export type LimitPolicyState = z.infer<typeof limitPolicyState.schema>;

import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { count, keyId, oneOf, tenantId, text } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

/** The limits of a tenant that an override can replace. */
export const LIMIT_NAMES = ['tenant-bucket', 'daily-quota', 'monthly-quota', 'concurrency'] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

const overrideShape = {
  name: oneOf(...LIMIT_NAMES),
  /** The bucket's capacity, the quota's credits, or the number of calls at once. */
  limit: plain(z.number().int().nonnegative().max(1e9)),
  /** Of a bucket alone. */
  refillPerSecond: plain(z.number().positive().max(1e6).nullable()),
  expiresAt: plain(z.number().int().nullable()),
};
export const limitOverride = z.object(overrideShape);
export type LimitOverride = z.infer<typeof limitOverride>;

const topic = eventsTopic('limit-policy');
export const limitOverrideSet = event(topic, 'limit-policy.override-set', 'A limit of one tenant, other than its plan says.', overrideShape);
export const limitOverrideRemoved = event(topic, 'limit-policy.override-removed', "The plan's limit holds again.", {
  name: oneOf(...LIMIT_NAMES),
});
export type LimitPolicyEvent = FactOf<typeof limitOverrideSet | typeof limitOverrideRemoved>;

export const limitPolicyState = record(
  stateTopic('limit-policy'),
  'limit-policy.state',
  "A tenant's overrides.",
  z.object({ tenantId: tenantId(), overrides: z.array(limitOverride) }),
);
export type LimitPolicyState = z.infer<typeof limitPolicyState.schema>;

export const keyCeilingState = record(
  stateTopic('key-ceiling'),
  'key-ceiling.state',
  'What one upstream key gives: configured, and later learned.',
  z.object({
    keyId: keyId(),
    perMinute: plain(z.number().positive()),
    burst: plain(z.number().positive()),
    /** Calls at once; 0 = no limit of its own. */
    concurrency: count(),
  }),
);
export type KeyCeilingState = z.infer<typeof keyCeilingState.schema>;

export const quotaState = record(
  stateTopic('quota'),
  'quota.state',
  'What metering has counted of a tenant’s credits; a limiter’s counter below it is raised to it.',
  z.object({ tenantId: tenantId(), day: text(), dayCredits: count(), month: text(), monthCredits: count() }),
);
export type QuotaState = z.infer<typeof quotaState.schema>;

import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { count, keyId, tenantId, text, timestamp } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

/** Calls a minute; learned ones have fractions. */
const perMinute = () => plain(z.number().positive().max(1e9));
const burst = () => plain(z.number().int().positive().max(1e9));

const topic = eventsTopic('key-ceiling');
export const keyCeilingConfigured = event(topic, 'key-ceiling.configured', 'What one upstream key may give at most; what was learned below it is kept.', {
  keyId: keyId(),
  perMinute: perMinute(),
  burst: burst(),
  /** Calls at once; 0 = no limit of its own. */
  concurrency: count(),
  /** The catalog of the key's upstream; unsaid: the first one's. */
  upstream: plain(z.string().optional()),
});
export const keyCeilingLowered = event(topic, 'key-ceiling.lowered', 'The upstream refused a call: it gives less than was thought.', {
  keyId: keyId(),
  perMinute: perMinute(),
  /** How long the upstream wants the key to be left alone; null = it did not say. */
  retryAfterMs: plain(z.number().int().nonnegative().nullable()),
  /** The signal that it was learned from, and when that was heard. */
  signalId: text(),
  at: timestamp(),
});
export const keyCeilingStated = event(topic, 'key-ceiling.stated', "The upstream's headers say what it grants the key.", {
  keyId: keyId(),
  perMinute: perMinute(),
  signalId: text(),
  at: timestamp(),
});
export const keyCeilingRaised = event(topic, 'key-ceiling.raised', 'No refusal for a while: a little more is tried, never above what is configured or stated.', {
  keyId: keyId(),
  perMinute: perMinute(),
  at: timestamp(),
});
export const keyCeilingDropped = event(topic, 'key-ceiling.dropped', 'The key is gone.', { keyId: keyId() });
export type KeyCeilingEvent = FactOf<
  typeof keyCeilingConfigured | typeof keyCeilingLowered | typeof keyCeilingStated | typeof keyCeilingRaised | typeof keyCeilingDropped
>;

export const keyCeilingState = record(
  stateTopic('key-ceiling'),
  'key-ceiling.state',
  'What one upstream key gives now: what is configured, or less where that was learned.',
  z.object({
    keyId: keyId(),
    /** `ten_platform` for the platform's own. */
    owner: tenantId(),
    perMinute: perMinute(),
    burst: burst(),
    concurrency: count(),
    configured: z.object({ perMinute: perMinute(), burst: burst() }),
    /** The catalog of the key's upstream; unsaid: the first one's. */
    upstream: plain(z.string().optional()),
    /** When it was last lowered, and until when the upstream wanted to be left alone then; null = never. */
    loweredAt: plain(z.number().int().nullable()),
    pausedUntil: plain(z.number().int().nullable()),
  }),
);
export type KeyCeilingState = z.infer<typeof keyCeilingState.schema>;

import { z } from 'zod';
import { record } from './contract';
import { KEY_MODES, count, keyId, oneOf, tenantId, text, timestamp } from './fields';
import { plain } from './privacy';
import { SIGNAL_TOPIC, USAGE_TOPIC } from './topics';

/**
 * One record per fate of an attempt to call the upstream, and one per answer that needed none. The two equations stand on it:
 * per key, the upstream's ledger = Σ settled.upstreamCredits + unsettled; per tenant, Σ chargedCredits = usage = rollup = invoice.
 */
const common = {
  /** UUIDv7; counted once, however often it arrives. */
  eventId: text(),
  tenantId: tenantId(),
  projectId: plain(z.string().nullable()),
  tokenId: plain(z.string().nullable()),
  requestId: text(),
  endpoint: text(),
  priceVersion: text(),
  /** ms */
  at: timestamp(),
  /** A `test` token's calls go to the simulator and are never invoiced. */
  mode: oneOf('live', 'test'),
};

const attempt = {
  ...common,
  /** 1, 2, …: `requestId/attempt` is the attempt's id. */
  attempt: plain(z.number().int().positive()),
  purpose: oneOf('call', 'validation', 'refresh'),
  keyId: keyId(),
  keyVersion: plain(z.number().int().positive()),
  keyMode: oneOf(...KEY_MODES),
  keyOwner: oneOf('platform', 'own'),
};

/** Before the call leaves: what it will cost at most. */
export const held = z.object({
  kind: z.literal('held'),
  ...attempt,
  upstreamCredits: count(),
  chargedCredits: count(),
});
/** What the upstream took and what the tenant pays. */
export const settled = z.object({
  kind: z.literal('settled'),
  ...attempt,
  cache: oneOf('miss'),
  upstreamStatus: plain(z.number().int().nullable()),
  upstreamCredits: count(),
  chargedCredits: count(),
  /** Why the two differ, where they do. */
  difference: plain(z.enum(['absorbed', 'validation', 'unsettled']).nullable()),
});
/** Nothing was sent: the hold is void. */
export const released = z.object({ kind: z.literal('released'), ...attempt, upstreamCredits: plain(z.literal(0)), chargedCredits: plain(z.literal(0)) });
/** An answer without an attempt of its own: from the cache, or shared with an identical call in flight. */
export const served = z.object({
  kind: z.literal('served'),
  ...common,
  keyOwner: oneOf('platform', 'own'),
  keyMode: oneOf(...KEY_MODES),
  cache: oneOf('hit', 'coalesced', 'stale'),
  upstreamCredits: plain(z.literal(0)),
  chargedCredits: count(),
});

export const usage = record(
  USAGE_TOPIC,
  'usage',
  'Every credit, where it went and who pays it.',
  z.discriminatedUnion('kind', [held, settled, released, served]),
);
export type Usage = z.infer<typeof usage.schema>;
export type UsageOf<K extends Usage['kind']> = Extract<Usage, { kind: K }>;

export const upstreamSignal = record(
  SIGNAL_TOPIC,
  'upstream-signal',
  'What the upstream said of a key, heard by a fetcher.',
  z.object({
    eventId: text(),
    keyId: keyId(),
    keyVersion: plain(z.number().int().positive()),
    owner: tenantId(),
    tenantId: tenantId(),
    signal: oneOf('unauthorized', 'depleted', 'rate-limited', 'rate-stated', 'accepted'),
    endpoint: text(),
    retryAfterMs: plain(z.number().int().nonnegative().nullable()),
    /** Calls a minute that the upstream's headers grant the key, where they say so. */
    statedPerMinute: plain(z.number().positive().nullable().optional()),
    requestId: text(),
    at: timestamp(),
  }),
);
export type UpstreamSignal = z.infer<typeof upstreamSignal.schema>;

import { z } from 'zod';
import { record } from './contract';
import { count, tenantId, text, timestamp } from './fields';
import { plain } from './privacy';
import { DEMAND_TOPIC } from './topics';

/** Calls by the name of a limit. */
const byLimit = () => plain(z.record(z.string(), z.number().int().nonnegative()));

export const demand = record(
  DEMAND_TOPIC,
  'demand',
  'Per minute, tenant and key: calls admitted, refused by limit, promised, held; and what shadow policies would have refused.',
  z.object({
    eventId: text(),
    keyId: plain(z.string()),
    tenantId: tenantId(),
    /** Start of the minute, ms. */
    minute: timestamp(),
    admitted: count(),
    refused: byLimit(),
    /** Of the refused: those that were given a ticket, and so a time at which they are admitted. */
    promised: count(),
    /** Calls that were held for a limit, how long in all, and the longest of them; admitted in the end or not. */
    waited: count(),
    waitedMs: count(),
    longestWaitMs: count(),
    /** Calls that a shadow policy would have refused; whatever else became of them. */
    shadow: byLimit(),
  }),
);
export type Demand = z.infer<typeof demand.schema>;

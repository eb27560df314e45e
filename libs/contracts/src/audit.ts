import { z } from 'zod';
import { event, type FactOf } from './contract';
import { count, oneOf, text } from './fields';
import { plain } from './privacy';
import { eventsTopic } from './topics';

export const auditVerified = event(eventsTopic('audit'), 'audit.verified', "Somebody had a log's chain verified.", {
  result: oneOf('intact', 'broken'),
  /** Events read, and the last position. */
  events: count(),
  position: count(),
  /** Chain hash at that position, hex. */
  head: text(),
  firstBreak: plain(z.number().int().positive().nullable()),
});
export type AuditEvent = FactOf<typeof auditVerified>;

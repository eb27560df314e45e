import { z } from 'zod';
import { record } from './contract';
import { text, timestamp } from './fields';
import { PRESENCE_TOPIC } from './topics';

export const presence = record(
  PRESENCE_TOPIC,
  'presence',
  'A process that decides on limits, every few seconds; a tombstone when it ends. By their number a shared key is divided while the limiter’s store is away.',
  z.object({
    /** Of the process, new with each start; the key. */
    instanceId: text(),
    service: text(),
    at: timestamp(),
  }),
);
export type Presence = z.infer<typeof presence.schema>;

import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { count, oneOf, tenantId, text, timestamp } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

const topic = eventsTopic('subject');

/** Under a key that is in the tenant's schema alone: what stands for a person where the person may not. */
const pseudonyms = () => plain(z.array(z.string()));

export const subjectErasureRequested = event(topic, 'subject.erasure-requested', 'A person is to be forgotten by everybody who holds something.', {
  erasureId: text(),
  subjects: count(),
  pseudonyms: pseudonyms(),
});
export const subjectErased = event(topic, 'subject.erased', 'What one service removed; the person’s names are refused from now on.', {
  erasureId: text(),
  service: oneOf('upstream-fetcher'),
  profiles: count(),
  posts: count(),
  jobResults: count(),
  replays: count(),
  scheduleTargets: count(),
  cachedAnswers: count(),
  suppressed: count(),
  at: timestamp(),
});

export type SubjectEvent = FactOf<typeof subjectErasureRequested | typeof subjectErased>;

export const subjectSuppressionState = record(
  stateTopic('subject'),
  'subject.state',
  'A name that is not to be fetched again for a tenant, as a pseudonym; key = tenant/pseudonym.',
  z.object({ tenantId: tenantId(), pseudonym: text(), erasureId: text() }),
);
export type SubjectSuppressionState = z.infer<typeof subjectSuppressionState.schema>;

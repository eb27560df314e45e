import { z } from 'zod';
import { record } from './contract';
import { count, tenantId, text } from './fields';
import { stateTopic } from './topics';

export const quotaState = record(
  stateTopic('quota'),
  'quota.state',
  'What metering has counted of a tenant’s credits; a limiter’s counter below it is raised to it.',
  z.object({ tenantId: tenantId(), day: text(), dayCredits: count(), month: text(), monthCredits: count() }),
);
export type QuotaState = z.infer<typeof quotaState.schema>;

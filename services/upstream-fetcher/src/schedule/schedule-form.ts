import { invalid } from '@weir/kernel';
import { z } from 'zod';
import { MOST_ITEMS } from '../jobs/job-form';

/** One endpoint, whom or what to ask it for, and when. */
export const scheduleBody = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  endpoint: z.string().max(64),
  targets: z.array(z.string().min(1).max(2_048)).min(1).max(MOST_ITEMS),
  params: z.record(z.string().max(64), z.union([z.string().max(2_048), z.number()])).optional(),
  /** Pages of each target at most, by the cursor or the time that the endpoint pages by. */
  pages: z.number().int().min(1).max(100).optional(),
  /** Five fields; the endpoint's usual time unless said otherwise: nightly for profiles and posts, twice a week for followers. */
  cron: z.string().max(100).optional(),
  timezone: z.string().max(64).default('UTC'),
  maxAgeSeconds: z.number().int().min(0).max(86_400).optional(),
});
export type ScheduleBody = z.infer<typeof scheduleBody>;

/** @param usual the catalog's, of the endpoint */
export function cronOf({ cron, endpoint }: ScheduleBody, usual: string | undefined): string {
  const when = cron ?? usual;
  if (when === undefined) throw invalid(`Say when, with cron: ${endpoint} has no usual time.`, { field: 'cron' });
  return when;
}

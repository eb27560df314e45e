import { z } from 'zod';
import { record } from './contract';
import { text, timestamp } from './fields';
import { DRIFT_TOPIC } from './topics';

export const catalogDrift = record(
  DRIFT_TOPIC,
  'catalog-drift',
  'An answer of the upstream differed from what the catalog knows of its endpoint; each difference is told once an hour.',
  z.object({
    eventId: text(),
    catalog: text(),
    endpoint: text(),
    differences: z.array(
      z.object({
        /** `videos[].author.id` */
        path: text(),
        /** `nothing` where the field is new. */
        expected: text(),
        /** `missing`, `null` or a JSON type; never the value. */
        found: text(),
      }),
    ),
    /** A call whose answer it was. */
    requestId: text(),
    at: timestamp(),
  }),
);
export type CatalogDrift = z.infer<typeof catalogDrift.schema>;

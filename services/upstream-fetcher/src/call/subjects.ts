import { pseudonymsOf } from '@weir/subjects';
import type { SubjectKeys } from '../subject/subject-keys';
import { subjectsAnswered, subjectsAsked } from '../subject/subjects-in';
import type { Call } from './context';

/** Who a call and its answer are about, as erasure names them: what is stored of it stands beside these. */
export const createSubjectsOf =
  (keys: SubjectKeys) =>
  async ({ tenant, endpoint, query }: Call, body: Buffer): Promise<string[]> =>
    pseudonymsOf(await keys.of(tenant.id), [...subjectsAsked(endpoint, query), ...subjectsAnswered(endpoint, parsed(body))]);

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

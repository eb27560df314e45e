import type { SubjectKeys } from '../subject/subject-keys';
import { jsonIn, subjectsIn } from '../subject/subjects-in';
import type { Call } from './context';

/** Who a call and its answer are about, as erasure names them: what is stored of it stands beside these. */
export const createSubjectsOf =
  (keys: SubjectKeys) =>
  ({ tenant, endpoint, query }: Call, body: Buffer): Promise<string[]> =>
    keys.pseudonymsOf(tenant.id, subjectsIn(endpoint, query, jsonIn(body)));

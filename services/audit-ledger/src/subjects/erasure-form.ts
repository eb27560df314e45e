import type { SubjectName } from '@weir/subjects';
import { z } from 'zod';

/** A person by one of the names that the upstream has; what else the person is called is found where it is stored. */
const person = z.union([
  z.strictObject({ username: z.string().regex(/^@?[A-Za-z0-9_.]{1,32}$/, 'not a user name') }),
  z.strictObject({ userId: z.string().regex(/^\d{1,20}$/, 'not the number of a user') }),
  z.strictObject({ secUid: z.string().regex(/^[A-Za-z0-9_-]{1,200}$/, 'not a secUid') }),
]);

export const erasureBody = z.strictObject({ subjects: z.array(person).min(1).max(100) });
export type ErasureBody = z.infer<typeof erasureBody>;

export const namesIn = ({ subjects }: ErasureBody): SubjectName[] =>
  subjects.map((one) => {
    if ('username' in one) return { kind: 'username', value: one.username };
    if ('userId' in one) return { kind: 'user-id', value: one.userId };
    return { kind: 'sec-uid', value: one.secUid };
  });

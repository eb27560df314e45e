import type { PipeTransform } from '@nestjs/common';
import { invalid } from '@weir/kernel';
import { z } from 'zod';

/** A pipe from a zod schema. Unknown members are refused where the schema is strict, as those of bodies must be. */
export const parse = <S extends z.ZodType>(schema: S): PipeTransform<unknown, z.infer<S>> => ({
  transform(value: unknown) {
    const result = schema.safeParse(value ?? {});
    if (result.success) return result.data;
    const problems = result.error.issues.map((issue) => ({ field: issue.path.join('.'), problem: issue.message }));
    throw invalid(`The request is not valid: ${problems.map(({ field, problem }) => (field === '' ? problem : `${field}: ${problem}`)).join('; ')}.`, { problems });
  },
});

/** `?limit&cursor` of a list. The cursor is opaque to callers: the key of the last row they have. */
export const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(500).optional(),
});
export type Page = z.infer<typeof page>;

export const encodeCursor = (key: unknown): string => Buffer.from(JSON.stringify(key)).toString('base64url');

export function decodeCursor<T>(cursor: string | undefined, schema: z.ZodType<T>): T | undefined {
  if (cursor === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')));
  } catch {
    throw invalid('The cursor is not one of ours: take it from nextCursor of the page before.');
  }
}

export interface Listed<T> {
  readonly data: T[];
  readonly nextCursor: string | null;
}

/** `rows` holds one more than the page when there is a next one. */
export const listed = <T>(rows: readonly T[], limit: number, keyOf: (row: T) => unknown): Listed<T> => {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
};

import { createHmac } from 'node:crypto';

/** The ways in which the upstream names a person. */
export const SUBJECT_KINDS = ['username', 'user-id', 'sec-uid'] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

export interface SubjectName {
  readonly kind: SubjectKind;
  readonly value: string;
}

const BYTES = 16;

/**
 * What stands for a person where the person may not: in events, and beside each stored body. The first 128 bits of
 * HMAC-SHA256(key, `kind:value`), base64url; a user name counts in lower case and without its @.
 */
export function pseudonymOf(key: Buffer, { kind, value }: SubjectName): string {
  const normal = kind === 'username' ? value.replace(/^@/, '').toLowerCase() : value;
  return createHmac('sha256', key).update(`${kind}:${normal}`).digest().subarray(0, BYTES).toString('base64url');
}

/** Sorted and without repetition, so that equal sets are equal lists. */
export const pseudonymsOf = (key: Buffer, names: readonly SubjectName[]): string[] =>
  [...new Set(names.map((name) => pseudonymOf(key, name)))].sort();

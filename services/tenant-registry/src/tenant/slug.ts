import { z } from 'zod';

const RESERVED = new Set(['platform', 'operator', 'admin', 'public', 'weir', 'information-schema', 'pg-catalog', 'pg-temp', 'pg-toast']);

/** A slug is for people: lower-case letters, digits and hyphens. No name in the database is ever made of it. */
export const slug = z
  .string()
  .regex(/^[a-z][a-z0-9-]{1,38}[a-z0-9]$/, 'a slug has 3 to 40 characters: a to z, 0 to 9 and hyphens, beginning with a letter, not ending with a hyphen')
  .refine((text) => !RESERVED.has(text) && !text.startsWith('pg-'), 'this slug is reserved');

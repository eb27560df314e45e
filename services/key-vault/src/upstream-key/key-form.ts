import { z } from 'zod';

/**
 * A key as it is handed in. Whatever a header cannot carry, and the white space that copying brings along, is refused here rather than
 * guessed away; the messages say what is wrong and never what was sent.
 */
export const secret = z
  .string()
  .min(8, 'an upstream key has at least 8 characters')
  .max(512, 'an upstream key has at most 512 characters')
  .refine((key) => !/\s/.test(key), 'the key holds white space: copy it again, without blanks and line ends')
  .refine(
    (key) => /^[\x21-\x7e\s]*$/.test(key),
    'the key holds characters that no upstream key has: only printable ASCII is taken',
  );

const label = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}]*$/u, 'no control characters');

/** The label stands in events, which are for ever: one that repeats the key is refused. */
export const registration = z
  .strictObject({ key: secret, label: label.default('upstream key') })
  .refine(({ key, label: text }) => !text.includes(key), { path: ['label'], message: 'the label repeats the key' });

export const rotation = z.strictObject({ key: secret });

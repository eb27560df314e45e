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
const tellsNothing = ({ key, label: text }: { key: string; label: string }): boolean => !text.includes(key);
const repeats = { path: ['label'], message: 'the label repeats the key' };

/** The id of a catalog; unsaid, the first one's. */
const upstream = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/).optional();

export const registration = z.strictObject({ key: secret, label: label.default('upstream key'), upstream }).refine(tellsNothing, repeats);

/** 2 comes first twice as often as 1. */
const weight = z.number().min(0.01, 'a weight is at least 0.01').max(1_000, 'a weight is at most 1000');
export const platformRegistration = z.strictObject({ key: secret, label: label.default('upstream key'), weight: weight.default(1), upstream }).refine(tellsNothing, repeats);
export const platformChange = z.strictObject({ weight });

export const rotation = z.strictObject({ key: secret });

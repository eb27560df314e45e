import { parseToken } from '@weir/access';
import { z } from 'zod';
import { optionalText, type Setting } from './settings';

/** A token of Weir's own form; another would be refused at every call. */
export const tokenSetting = (variable: string, help: string): Setting<string | undefined> => ({
  ...optionalText(variable, help),
  schema: z
    .string()
    .refine((token) => parseToken(token) !== undefined, 'not a token: weir_<live or test>_<id>_<secret>, the last six characters its checksum')
    .optional(),
});

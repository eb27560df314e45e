import { z } from 'zod';
import { AppError } from '@weir/kernel';

/** One environment variable: its name, what it means, how it is read. Declared in a service's config.ts and nowhere else. */
export interface Setting<T> {
  readonly variable: string;
  readonly help: string;
  readonly schema: z.ZodType<T>;
  /** As it would stand in the environment; undefined: it must be set. */
  readonly fallback: string | undefined;
  /** May stay unset altogether. */
  readonly optional: boolean;
}

export type Settings<C> = { readonly [K in keyof C]: Setting<C[K]> };
export type Environment = Readonly<Record<string, string | undefined>>;

const setting = <T>(variable: string, help: string, schema: z.ZodType<T>, fallback?: string): Setting<T> => ({
  variable,
  help,
  schema,
  fallback,
  optional: false,
});

export const text = (variable: string, help: string, fallback?: string): Setting<string> =>
  setting(variable, help, fallback === '' ? z.string() : z.string().min(1), fallback);

export const optionalText = (variable: string, help: string): Setting<string | undefined> => ({
  ...setting(variable, help, z.string().min(1).optional()),
  optional: true,
});

const httpUrl = z.url({ protocol: /^https?$/, error: 'not an http or https address' });
export const url = (variable: string, help: string, fallback?: string): Setting<string> => setting(variable, help, httpUrl, fallback);
export const optionalUrl = (variable: string, help: string): Setting<string | undefined> => ({ ...optionalText(variable, help), schema: httpUrl.optional() });

export const integer = (variable: string, help: string, fallback: number, { min = 0, max }: { min?: number; max?: number } = {}): Setting<number> => {
  const wrong = `not a whole number ${max === undefined ? `of ${min} or more` : `from ${min} to ${max}`}`;
  return setting(variable, help, z.coerce.number(wrong).int(wrong).min(min, wrong).max(max ?? Number.MAX_SAFE_INTEGER, wrong), String(fallback));
};

export const choice = <const T extends readonly [string, ...string[]]>(variable: string, help: string, values: T, fallback?: T[number]) =>
  setting<T[number]>(variable, `${help} (${values.join(', ')})`, z.enum(values, `none of ${values.join(', ')}`) as unknown as z.ZodType<T[number]>, fallback);

/** A JSON object of names to Postgres URLs, such as `{"eu": "postgres://db.eu.example.com/weir"}`. */
export const databases = (variable: string, help: string): Setting<Record<string, string>> =>
  setting(
    variable,
    help,
    z
      .string()
      .transform((json, context) => {
        try {
          return JSON.parse(json) as unknown;
        } catch {
          context.addIssue('not JSON');
          return z.NEVER;
        }
      })
      .pipe(z.record(z.string().regex(/^[a-z][a-z0-9-]{0,39}$/).refine((name) => name !== 'home', 'home is the database of WEIR_POSTGRES_URL'), z.url({ protocol: /^postgres(ql)?$/ }))) as unknown as z.ZodType<Record<string, string>>,
    '{}',
  );

/** A comma-separated list of the values. */
export const choices = <const T extends readonly [string, ...string[]]>(variable: string, help: string, values: T, fallback: string) =>
  setting<T[number][]>(
    variable,
    `${help} (${values.join(', ')})`,
    z
      .string()
      .transform((list) => list.split(',').map((item) => item.trim()))
      .pipe(z.array(z.enum(values, `none of ${values.join(', ')}`))) as unknown as z.ZodType<T[number][]>,
    fallback,
  );

/** @throws AppError `bad-configuration` naming every variable that is wrong, on one line */
export function parseSettings<C>(settings: Settings<C>, environment: Environment): C {
  const problems: string[] = [];
  const parsed: Partial<C> = {};
  for (const name of Object.keys(settings) as (keyof C)[]) {
    const { variable, schema, fallback, optional } = settings[name];
    const given = environment[variable];
    const raw = given === undefined || given === '' ? fallback : given;
    if (raw === undefined && !optional) {
      problems.push(`${variable} must be set`);
      continue;
    }
    const result = schema.safeParse(raw);
    if (result.success) parsed[name] = result.data;
    else problems.push(`${variable}: ${result.error.issues.map((issue) => issue.message).join(', ')}`);
  }
  if (problems.length > 0) throw new AppError('bad-configuration', 'invalid', `bad configuration: ${[...new Set(problems)].join('; ')}`);
  return parsed as C;
}

export function describeSettings<C>(settings: Settings<C>): string {
  const rows = (Object.values(settings) as Setting<unknown>[]).map(({ variable, help, fallback, optional }) => {
    const note = optional ? 'optional' : fallback === undefined ? 'required' : `default ${fallback}`;
    return `  ${variable.padEnd(30)} ${help} [${note}]`;
  });
  return ['Settings, from the environment:', ...rows].join('\n');
}

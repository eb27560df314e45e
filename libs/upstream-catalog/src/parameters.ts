import { addressProblem } from './address';
import type { Parameter } from './document';

export interface CompiledParameter {
  readonly name: string;
  readonly declared: Parameter;
  /** The default as text, sent when the caller gives none. */
  readonly fallback: string | undefined;
  /** What is wrong with a value, as the rest of a sentence that begins with the parameter's name. */
  readonly problemOf: (value: string) => string | undefined;
}

export type CheckedParameters =
  | {
      readonly ok: true;
      /** `a=1&b=2`: every parameter sent upstream, defaults included, sorted by name, encoded. Equal calls have equal texts. */
      readonly canonical: string;
      readonly values: Readonly<Record<string, string>>;
    }
  | { readonly ok: false; readonly parameter: string; readonly problem: string };

export type Query = URLSearchParams | Readonly<Record<string, string | readonly string[]>>;

/**
 * Whether a query is one that the endpoint takes: every parameter known, given once, well-formed; the required ones there.
 * Nothing unknown goes upstream, which also keeps the cache from being split by `&x=1`, `&x=2`.
 */
export function checkParameters(
  endpoint: { readonly parameters: readonly CompiledParameter[] },
  query: Query,
): CheckedParameters {
  const given = query instanceof URLSearchParams ? valuesOf(query) : query;
  for (const name in given) {
    if (!endpoint.parameters.some((p) => p.name === name))
      return refused(name, `is not a parameter of this endpoint (${known(endpoint)})`);
    if (typeof given[name] !== 'string') return refused(name, 'is given more than once');
  }

  const values: Record<string, string> = {};
  let canonical = '';
  for (const parameter of endpoint.parameters) {
    const value = (Object.hasOwn(given, parameter.name) ? (given[parameter.name] as string) : undefined) ?? parameter.fallback;
    if (value === undefined) {
      if (parameter.declared.required) return refused(parameter.name, 'is required');
      continue;
    }
    const problem = parameter.problemOf(value);
    if (problem !== undefined) return refused(parameter.name, problem);
    values[parameter.name] = value;
    canonical += `${canonical === '' ? '' : '&'}${parameter.name}=${encodeURIComponent(value)}`;
  }
  return { ok: true, canonical, values };
}

export function compileParameter(declared: Parameter): CompiledParameter {
  const fallback = declared.type === 'url' || declared.default === undefined ? undefined : String(declared.default);
  return { name: declared.name, declared, fallback, problemOf: problemIn(declared) };
}

function problemIn(parameter: Parameter): CompiledParameter['problemOf'] {
  switch (parameter.type) {
    case 'url': {
      const hosts = new Set(parameter.hosts);
      return (value) => addressProblem(value, hosts, parameter.maxLength);
    }
    case 'integer':
      return (value) => {
        // at most 16 digits and no leading zero: one number has one text, and Number() is exact
        const number = INTEGER.test(value) ? Number(value) : NaN;
        const within = number >= parameter.minimum && number <= parameter.maximum;
        return within ? undefined : `is not a whole number from ${parameter.minimum} to ${parameter.maximum}`;
      };
    case 'text': {
      const whole = new RegExp(`^(?:${parameter.pattern})$`);
      return (value) => {
        if (value.length > parameter.maxLength) return `is longer than ${parameter.maxLength} characters`;
        // encodeURIComponent throws on half of a surrogate pair
        return value.isWellFormed() && whole.test(value) ? undefined : `does not have the form ${parameter.pattern}`;
      };
    }
  }
}

const INTEGER = /^(0|[1-9]\d{0,15})$/;

function valuesOf(query: URLSearchParams): Record<string, string | readonly string[]> {
  const values = Object.create(null) as Record<string, string | readonly string[]>;
  for (const name of query.keys()) {
    const all = query.getAll(name);
    values[name] = all.length === 1 ? (all[0] ?? '') : all;
  }
  return values;
}

const known = (endpoint: { readonly parameters: readonly CompiledParameter[] }): string =>
  endpoint.parameters.map((p) => p.name).join(', ') || 'it takes none';

/** The name comes from the caller and goes back into an answer: bounded. */
const refused = (parameter: string, problem: string): CheckedParameters => ({
  ok: false,
  parameter: parameter.slice(0, 64),
  problem,
});

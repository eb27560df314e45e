import type { SubjectName } from '@weir/subjects';
import type { Endpoint } from '@weir/upstream-catalog';

/** Whom a call asks about: by the parameters that the catalog calls personal. @param query canonical */
export function subjectsAsked({ parameters, persons }: Endpoint, query: string): SubjectName[] {
  const given = new URLSearchParams(query);
  return parameters.flatMap(({ name, declared }) => {
    const value = given.get(name);
    if (!declared.personal || value === null) return [];
    if (declared.type === 'url') return inAddress(value, persons.addressPath);
    const kind = persons.kinds.get(name);
    return kind === undefined ? [] : [{ kind, value }];
  });
}

/** Everybody whom an answer names: by the fields that the catalog calls personal. @param parsed undefined: not JSON */
export function subjectsAnswered({ personal, persons }: Endpoint, parsed: unknown): SubjectName[] {
  return personal.flatMap((path) => {
    const steps = path.split('.');
    const kind = persons.kinds.get((steps.at(-1) ?? '').replace('[]', ''));
    return kind === undefined ? [] : valuesAt(parsed, steps).map((value) => ({ kind, value }));
  });
}

/** Whom a call and its answer are about: what is stored of it stands beside these. @param parsed the answer */
export const subjectsIn = (endpoint: Endpoint, query: string, parsed: unknown): SubjectName[] => [...subjectsAsked(endpoint, query), ...subjectsAnswered(endpoint, parsed)];

/** Undefined: an answer that is no JSON, and names nobody. */
export function jsonIn(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function valuesAt(body: unknown, steps: readonly string[]): string[] {
  const [step, ...rest] = steps;
  if (step === undefined) return typeof body === 'string' && body !== '' ? [body] : typeof body === 'number' ? [String(body)] : [];
  const name = step.replace('[]', '');
  const value = typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? (body as Record<string, unknown>)[name] : undefined;
  if (!step.endsWith('[]')) return valuesAt(value, rest);
  return Array.isArray(value) ? value.flatMap((item) => valuesAt(item, rest)) : [];
}

function inAddress(text: string, path: RegExp | undefined): SubjectName[] {
  const name = path?.exec(new URL(text).pathname)?.[1];
  return name === undefined ? [] : [{ kind: 'username', value: name }];
}

import type { SubjectKind, SubjectName } from '@weir/subjects';
import type { Endpoint } from '@weir/upstream-catalog';

/** Fields and parameters that name a person; other personal ones tell of the person and are no name. */
const KINDS: Readonly<Record<string, SubjectKind>> = {
  username: 'username',
  unique_id: 'username',
  uniqueId: 'username',
  userid: 'user-id',
  id: 'user-id',
  secUid: 'sec-uid',
};

const PROFILE_IN_URL = /^\/@([A-Za-z0-9_.]{1,32})(?:\/|$)/;

/** Whom a call asks about: by the parameters that the catalog calls personal. @param query canonical */
export function subjectsAsked(endpoint: Endpoint, query: string): SubjectName[] {
  const given = new URLSearchParams(query);
  return endpoint.parameters.flatMap(({ name, declared }) => {
    const value = given.get(name);
    if (!declared.personal || value === null) return [];
    if (declared.type === 'url') return inUrl(value);
    const kind = KINDS[name];
    return kind === undefined ? [] : [{ kind, value }];
  });
}

/** Everybody whom an answer names: by the fields that the catalog calls personal. @param parsed undefined: not JSON */
export function subjectsAnswered(endpoint: Endpoint, parsed: unknown): SubjectName[] {
  return endpoint.personal.flatMap((path) => {
    const steps = path.split('.');
    const kind = KINDS[steps.at(-1) ?? ''];
    return kind === undefined ? [] : valuesAt(parsed, steps).map((value) => ({ kind, value }));
  });
}

function valuesAt(body: unknown, steps: readonly string[]): string[] {
  const [step, ...rest] = steps;
  if (step === undefined) return typeof body === 'string' && body !== '' ? [body] : typeof body === 'number' ? [String(body)] : [];
  const name = step.replace('[]', '');
  const value = typeof body === 'object' && body !== null && Object.hasOwn(body, name) ? (body as Record<string, unknown>)[name] : undefined;
  if (!step.endsWith('[]')) return valuesAt(value, rest);
  return Array.isArray(value) ? value.flatMap((item) => valuesAt(item, rest)) : [];
}

function inUrl(text: string): SubjectName[] {
  const name = PROFILE_IN_URL.exec(new URL(text).pathname)?.[1];
  return name === undefined ? [] : [{ kind: 'username', value: name }];
}

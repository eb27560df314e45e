import type { FieldKind } from './document';

/** One required field: its path, split, and what it must be. Compiled once, walked per answer. */
export interface Field {
  readonly path: string;
  readonly steps: readonly Step[];
  readonly kind: FieldKind;
}

interface Step {
  readonly name: string;
  /** The member is a list, and the rest of the path holds for each of its items. */
  readonly each: boolean;
}

export interface Mismatch {
  readonly path: string;
  readonly expected: FieldKind;
  /** What stood there instead: `missing`, `null` or a JSON type. Never the value, which may be about a person. */
  readonly found: string;
}

export const compileField = (path: string, kind: FieldKind): Field => ({
  path,
  kind,
  steps: path
    .split('.')
    .map((step) => (step.endsWith('[]') ? { name: step.slice(0, -2), each: true } : { name: step, each: false })),
});

/** Every required field that a parsed body lacks or holds as something else; none means that the shape is as promised. */
export function mismatches(fields: readonly Field[], body: unknown): Mismatch[] {
  const found: Mismatch[] = [];
  for (const field of fields) {
    const wrong = firstWrong(field, body, 0);
    if (wrong !== undefined) found.push({ path: field.path, expected: field.kind, found: wrong });
  }
  return found;
}

/** What stands at the first place where the field is not as it should be; undefined when it is everywhere. */
function firstWrong(field: Field, value: unknown, from: number): string | undefined {
  let here = value;
  for (let i = from; i < field.steps.length; i++) {
    const step = field.steps[i]!;
    if (typeof here !== 'object' || here === null || Array.isArray(here)) return jsonType(here);
    // an own member only: a body must not pass by what every object inherits
    here = Object.hasOwn(here, step.name) ? (here as Record<string, unknown>)[step.name] : undefined;
    if (!step.each) continue;
    if (!Array.isArray(here)) return jsonType(here);
    for (const item of here) {
      const wrong = firstWrong(field, item, i + 1);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  return isKind(field.kind, here) ? undefined : jsonType(here);
}

export function isKind(kind: FieldKind, value: unknown): boolean {
  switch (kind) {
    case 'integer':
      return Number.isInteger(value);
    case 'scalar':
      return typeof value === 'string' || typeof value === 'number';
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === kind;
  }
}

export function jsonType(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

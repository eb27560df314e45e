import type { FieldKind } from './document';
import { isKind, jsonType } from './shape';

/** One way in which an answer differs from what is known of its endpoint. Never a value, which may be about a person. */
export interface Difference {
  /** `videos[].author.id` */
  readonly path: string;
  /** `nothing` where the field is new. */
  readonly expected: FieldKind | 'nothing';
  /** `missing`, `null` or a JSON type. */
  readonly found: string;
}

/** The known fields as a tree. */
export interface KnownShape {
  readonly members: ReadonlyMap<string, KnownField>;
}

interface KnownField extends KnownShape {
  readonly path: string;
  readonly always: boolean;
  /** Undefined: only its members are described. */
  readonly kind: FieldKind | undefined;
  /** It is a list, and the members are those of its items. */
  readonly each: boolean;
}

type Draft = { -readonly [K in keyof KnownField]: K extends 'members' ? Map<string, Draft> : KnownField[K] };

export function compileKnown(always: Readonly<Record<string, FieldKind>>, sometimes: Readonly<Record<string, FieldKind>>): KnownShape {
  const root: { members: Map<string, Draft> } = { members: new Map() };
  const add = (path: string, kind: FieldKind, isAlways: boolean) => {
    let here: { members: Map<string, Draft> } = root;
    const steps = path.split('.');
    steps.forEach((step, index) => {
      const each = step.endsWith('[]');
      const name = each ? step.slice(0, -2) : step;
      const last = index === steps.length - 1;
      let field = here.members.get(name);
      if (field === undefined) {
        field = { path: steps.slice(0, index + 1).join('.').replace(/\[\]$/, ''), always: isAlways, kind: undefined, each, members: new Map() };
        here.members.set(name, field);
      }
      field.each ||= each;
      field.always ||= isAlways;
      if (last) field.kind = kind;
      here = field;
    });
  };
  for (const [path, kind] of Object.entries(always)) add(path, kind, true);
  for (const [path, kind] of Object.entries(sometimes)) add(path, kind, false);
  return root;
}

/** Of a list so many items are looked at: they are made by one program. */
const ITEMS = 5;
const MOST = 50;

/** How an answer differs from what is known; none means that it does not. At most 50, each path once. */
export function differences(known: KnownShape, body: unknown): Difference[] {
  const found = new Map<string, Difference>();
  walk(known, '', body, found);
  return [...found.values()];
}

function walk(known: KnownShape, path: string, value: unknown, found: Map<string, Difference>): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
  const object = value as Record<string, unknown>;
  for (const [name, field] of known.members) compare(field, `${path}${name}`, Object.hasOwn(object, name) ? object[name] : undefined, found);
  for (const name of Object.keys(object)) if (!known.members.has(name)) note(found, { path: `${path}${name.slice(0, 64)}`, expected: 'nothing', found: jsonType(object[name]) });
}

function compare(field: KnownField, path: string, value: unknown, found: Map<string, Difference>): void {
  if (value === undefined && !field.always) return;
  const kind = field.kind ?? (field.each ? 'array' : 'object');
  if (!isKind(kind, value)) return note(found, { path, expected: kind, found: jsonType(value) });
  if (field.members.size === 0) return;
  if (!field.each) return walk(field, `${path}.`, value, found);
  for (const item of (value as unknown[]).slice(0, ITEMS)) walk(field, `${path}[].`, item, found);
}

function note(found: Map<string, Difference>, difference: Difference): void {
  if (found.size < MOST && !found.has(difference.path)) found.set(difference.path, difference);
}

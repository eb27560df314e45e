import { z } from 'zod';

/**
 * Every field of a contract says where it is defined whether it is about a person. Personal fields may not stand in events; the
 * suite fails on a field that says nothing.
 */
const privacy = z.registry<{ personal: boolean }>();

/** A field that says nothing about a person. */
export function plain<T extends z.ZodType>(schema: T): T {
  privacy.add(schema, { personal: false });
  return schema;
}

/** A field about a person: erasable, never in an event. */
export function personal<T extends z.ZodType>(schema: T): T {
  privacy.add(schema, { personal: true });
  return schema;
}

export interface FieldPrivacy {
  readonly path: string;
  readonly personal: boolean | undefined;
}

/** Every leaf of a schema with its mark; a mark on a container holds for all inside. */
export function fieldsOf(schema: z.ZodType, path = ''): FieldPrivacy[] {
  const mark = privacy.get(schema);
  if (mark) return [{ path, personal: mark.personal }];
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([name, field]) =>
      fieldsOf(field, path === '' ? name : `${path}.${name}`),
    );
  }
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element as z.ZodType, `${path}[]`);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return fieldsOf(schema.unwrap() as z.ZodType, path);
  }
  if (schema instanceof z.ZodUnion) return (schema.options as z.ZodType[]).flatMap((option) => fieldsOf(option, path));
  if (schema instanceof z.ZodLiteral) return [{ path, personal: false }];
  return [{ path, personal: undefined }];
}

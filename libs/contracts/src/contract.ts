import { z } from 'zod';

/**
 * A published contract: what stands in a log or on a topic, for readers that we do not know. A version is never changed; a new
 * one is added, with an upcaster from the one before.
 */
export interface Contract<T extends string = string, S extends z.ZodType = z.ZodType> {
  readonly type: T;
  readonly version: number;
  readonly description: string;
  /** The topic that carries it. */
  readonly topic: string;
  readonly schema: S;
}

export interface EventContract<T extends string = string, S extends z.ZodType = z.ZodType> extends Contract<T, S> {
  readonly kind: 'event';
}

export const event = <const T extends string, S extends z.ZodRawShape>(
  topic: string,
  type: T,
  description: string,
  shape: S,
): EventContract<T, z.ZodObject<S>> => ({
  kind: 'event',
  type,
  version: 1,
  description,
  topic,
  schema: z.object(shape),
});

export const record = <const T extends string, S extends z.ZodType>(
  topic: string,
  type: T,
  description: string,
  schema: S,
): Contract<T, S> => ({ type, version: 1, description, topic, schema });

/** The fact that an event contract describes. */
export type FactOf<C> = C extends EventContract<infer T, infer S> ? { readonly type: T; readonly data: z.infer<S> } : never;

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

/** Data of one version as the next one has them; pure, and total over what was ever written. */
export type Upcaster = (data: Readonly<Record<string, unknown>>) => Record<string, unknown>;

export interface EventContract<T extends string = string, S extends z.ZodType = z.ZodType> extends Contract<T, S> {
  readonly kind: 'event';
  /** From version 1 to 2, from 2 to 3, …: one less than there are versions. */
  readonly upcasters: readonly Upcaster[];
}

/** @param upcasters one for each version that there was before */
export const event = <const T extends string, S extends z.ZodRawShape>(
  topic: string,
  type: T,
  description: string,
  shape: S,
  upcasters: readonly Upcaster[] = [],
): EventContract<T, z.ZodObject<S>> => ({
  kind: 'event',
  type,
  version: upcasters.length + 1,
  description,
  topic,
  schema: z.object(shape),
  upcasters,
});

/**
 * Data of an event as the current version has them, whichever they were written in. What a version that is newer than ours added is
 * left out.
 *
 * @throws ZodError when they are not what the contract says
 */
export function readEvent<C extends EventContract>(contract: C, version: number, data: unknown): z.infer<C['schema']> {
  const steps = contract.upcasters.slice(Math.max(version, 1) - 1);
  return contract.schema.parse(steps.reduce((before, upcast) => upcast(before), data as Record<string, unknown>)) as z.infer<C['schema']>;
}

export const record = <const T extends string, S extends z.ZodType>(
  topic: string,
  type: T,
  description: string,
  schema: S,
): Contract<T, S> => ({ type, version: 1, description, topic, schema });

/** The fact that an event contract describes. */
export type FactOf<C> = C extends EventContract<infer T, infer S> ? { readonly type: T; readonly data: z.infer<S> } : never;

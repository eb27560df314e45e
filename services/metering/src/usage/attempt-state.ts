import type { Entry } from './entry';

/** Lowest first: an attempt stands where the highest of its records puts it. It moves upwards alone, so that the order of arrival does not matter. */
export const ATTEMPT_STATES = ['held', 'unsettled', 'not-taken', 'taken', 'released', 'settled'] as const;

export type AttemptState = (typeof ATTEMPT_STATES)[number];

const RANKS: ReadonlyMap<string, number> = new Map(ATTEMPT_STATES.map((state, index) => [state, index + 1]));

/** 0 for what is of no attempt. */
export const rankOf = ({ kind }: Pick<Entry, 'kind'>): number => RANKS.get(kind) ?? 0;

/** The same in SQL; null for what is of no attempt. */
export const rank = (kind: string): string => `array_position(array[${ATTEMPT_STATES.map((state) => `'${state}'`).join(', ')}], ${kind})`;

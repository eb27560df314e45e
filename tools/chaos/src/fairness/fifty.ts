import { invariant, type Invariant } from '../scenario';
import type { Member, Tally } from './clients';
import { quantile } from './figures';
import type { Key } from './on-the-model';

/** 200 calls a second among 50: four for each. */
export const KEY: Key = { perMinute: 12_000, burst: 1_000 };
/** Calls twice a second: half of what it could have. */
const BELOW = 24;
const WANTING = 25;
/** A hundred times what it could have. */
const LOUD_PER_SECOND = 400;
/** What the upstream takes for a call: as a caller sees it, a call is its wait and this. */
const UPSTREAM_MS = 50;

/** Some below their share, some who always want more, and, if it is to be there, one at a hundred times its share. */
export function fifty({ perMinute }: Key, loud: boolean): Member[] {
  const scale = perMinute / KEY.perMinute;
  return [
    ...(loud ? [{ name: 'ten_loud', weight: 1, behaviour: { kind: 'flood', perSecond: LOUD_PER_SECOND * scale } } as const] : []),
    ...Array.from({ length: BELOW }, (_, i): Member => ({ name: `ten_below_${i}`, weight: 1, behaviour: { kind: 'polite', everyMs: 500 / scale } })),
    ...Array.from({ length: WANTING }, (_, i): Member => ({ name: `ten_wanting_${i}`, weight: 1, behaviour: { kind: 'backlogged', clients: 4 } })),
  ];
}

export interface Crowded {
  readonly members: readonly Member[];
  readonly tallies: readonly Tally[];
}

export const ofKind = ({ members, tallies }: Crowded, kind: 'polite' | 'backlogged'): Tally[] => tallies.filter((_, i) => members[i]?.behaviour.kind === kind);
export const waitsOf = (all: readonly Tally[]): number[] => all.flatMap((tally) => tally.waits);

/** What the others notice of the loud one, as callers see it. */
export function neighbours(calm: Crowded, loud: Crowded, where: string): Invariant[] {
  return ([['below their share', 'polite'], ['who want more', 'backlogged']] as const).map(([who, kind]) => {
    const [calmMs, loudMs] = [calm, loud].map((one) => quantile(waitsOf(ofKind(one, kind)), 0.99) + UPSTREAM_MS) as [number, number];
    return invariant(`L10 ${where}, the p99 of calls of those ${who} rises by a tenth at most when the loud one comes`, loudMs <= 1.1 * calmMs, { calmMs, loudMs });
  });
}

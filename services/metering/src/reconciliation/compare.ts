import type { AttemptState } from '../usage/attempt-state';

/** One line of the upstream's account. */
export interface Line {
  /** Grows from line to line of a source. */
  readonly line: number;
  /** Ours, as sent along with the call; empty where the line names none. */
  readonly requestId: string;
  readonly attempt: number;
  /** The last characters of the key. */
  readonly keyHint: string;
  readonly status: number;
  readonly credits: number;
  /** ms, by the upstream's clock. */
  readonly at: number;
}

/** One of our attempts, where it stands, and what it says that the upstream took. */
export interface Standing {
  readonly tenantId: string;
  readonly requestId: string;
  readonly attempt: number;
  readonly keyId: string;
  readonly state: AttemptState;
  readonly credits: number;
  /** ms: its first record. */
  readonly at: number;
}

export type DiscrepancyClass = 'unsettled-taken' | 'unsettled-not-taken' | 'not-listed' | 'credits-differ' | 'listed-twice' | 'released-but-taken' | 'unknown-attempt' | 'sum-differs';

export interface Finding {
  readonly class: DiscrepancyClass;
  readonly tenantId: string;
  readonly requestId: string;
  readonly attempt: number;
  readonly keyId: string;
  readonly ourCredits: number;
  readonly upstreamCredits: number;
  readonly explanation: string;
}

export interface Compared {
  readonly lines: number;
  readonly attempts: number;
  readonly upstreamCredits: number;
  readonly settledCredits: number;
  /** Of attempts whose fate is not known yet: no difference, they are decided apart. */
  readonly unsettledCredits: number;
  readonly findings: readonly Finding[];
}

export interface Span {
  /** ms, `[from, to)`. */
  readonly from: number;
  readonly to: number;
}

/**
 * Judges the attempts of a span, and the lines of it that belong to none of ours.
 *
 * @param lines of more than the span on either side: an attempt's line is of when the upstream had done its work
 * @param attempts likewise
 */
export function compare(span: Span, lines: readonly Line[], attempts: readonly Standing[]): Compared {
  const linesOf = Map.groupBy(lines.filter(({ requestId }) => requestId !== ''), nameOf);
  const known = new Set(attempts.map(nameOf));
  const within = ({ at }: { at: number }) => at >= span.from && at < span.to;
  const own = attempts.filter(within);
  const foreign = lines.filter((line) => within(line) && !known.has(nameOf(line)));
  const listed = own.flatMap((attempt) => linesOf.get(nameOf(attempt)) ?? []);
  return {
    lines: listed.length + foreign.length,
    attempts: own.length,
    upstreamCredits: sumOf([...listed, ...foreign]),
    settledCredits: sumOf(own.filter(({ state }) => state === 'settled' || state === 'taken')),
    unsettledCredits: sumOf(own.filter(({ state }) => state === 'unsettled')),
    findings: [
      ...own.flatMap((attempt) => judge(attempt, linesOf.get(nameOf(attempt)) ?? [])),
      ...foreign.filter(({ credits }) => credits > 0).map(unknownAttempt),
    ],
  };
}

function judge(attempt: Standing, lines: readonly Line[]): Finding[] {
  const theirs = sumOf(lines);
  const differing = (name: DiscrepancyClass, explanation: string): Finding[] => [findingOf(name, attempt, theirs, explanation)];
  const charged = lines.filter(({ credits }) => credits > 0).length;
  switch (attempt.state) {
    case 'held':
    case 'unsettled':
      return [];
    case 'released':
    case 'not-taken':
      if (theirs === 0) return [];
      return differing('released-but-taken', 'We hold that nothing was sent; the upstream says that it was called, and took credits.');
    case 'settled':
    case 'taken':
      if (charged > 1) return differing('listed-twice', `The upstream lists one attempt ${charged} times.`);
      if (theirs === attempt.credits) return [];
      if (lines.length === 0) return differing('not-listed', 'We counted credits of which the upstream’s account says nothing.');
      return differing('credits-differ', `The upstream took ${theirs} credits where the catalog expects ${attempt.credits}: its prices may have changed.`);
  }
}

export const findingOf = (name: DiscrepancyClass, attempt: Standing, upstreamCredits: number, explanation: string, ourCredits = taken(attempt)): Finding => ({
  class: name,
  tenantId: attempt.tenantId,
  requestId: attempt.requestId,
  attempt: attempt.attempt,
  keyId: attempt.keyId,
  ourCredits,
  upstreamCredits,
  explanation,
});

const taken = ({ state, credits }: Standing): number => (state === 'settled' || state === 'taken' ? credits : 0);

const unknownAttempt = ({ requestId, attempt, credits, keyHint }: Line): Finding => ({
  class: 'unknown-attempt',
  tenantId: '',
  requestId,
  attempt,
  keyId: '',
  ourCredits: 0,
  upstreamCredits: credits,
  explanation: `The upstream took credits on the key …${keyHint} for a call that Weir has no record of: somebody else may have the key.`,
});

export const nameOf = ({ requestId, attempt }: { readonly requestId: string; readonly attempt: number }): string => `${requestId}/${attempt}`;
const sumOf = (all: readonly { readonly credits: number }[]): number => all.reduce((sum, { credits }) => sum + credits, 0);

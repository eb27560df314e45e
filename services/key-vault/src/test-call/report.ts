import type { KeyCheck } from '@weir/contracts';
import { checkShape, provenScopes, saysOutOfCredits, type Catalog, type OwnCall } from '@weir/upstream-catalog';
import type { Outcome } from '../upstream-key/upstream-key';
import type { Answer } from './upstream';

/** What an answer to the test call says of the key. Whatever is not clear about the key says nothing about it: `unreachable`. */
export function outcomeOf(catalog: Catalog, call: OwnCall, answer: Answer): Outcome {
  if (answer.is !== 'answered') return 'unreachable';
  if (answer.status === 401) return 'unauthorized';
  if (saysOutOfCredits(catalog, answer.status, answer.body)) return 'out-of-credits';
  if (answer.status === 429) return 'rate-limited';
  return isAsPromised(call, answer) ? 'accepted' : 'unreachable';
}

const isAsPromised = ({ endpoint }: OwnCall, answer: Answer): boolean =>
  answer.is === 'answered' && answer.status === 200 && checkShape(endpoint, answer.body).length === 0;

/** The report on the test call: what was looked at, what was seen, what to do. In the order in which one thing rests on another. */
export function describeTest(call: OwnCall, answer: Answer, outcome: Outcome): KeyCheck[] {
  const seen = `GET ${call.endpoint.path} ${inWords(answer)}.`;
  const reached = outcome !== 'unreachable';
  return [
    reached
      ? passed('upstream-reached', seen)
      : {
          name: 'upstream-reached',
          result: 'failed',
          evidence: seen,
          nextStep: 'Nothing was learned about the key. Check it again in a few minutes.',
        },
    ...(reached ? [keyKnown(outcome, seen), creditsLeft(outcome, seen), withinRate(outcome, seen)] : []),
  ];
}

function keyKnown(outcome: Outcome, evidence: string): KeyCheck {
  if (outcome === 'unauthorized') {
    return {
      name: 'key-known',
      result: 'failed',
      evidence,
      nextStep:
        'The upstream does not know this key, or has suspended it. Copy it again from its dashboard and hand it in as a new version.',
    };
  }
  return outcome === 'rate-limited' ? unknown('key-known', evidence) : passed('key-known', evidence);
}

function creditsLeft(outcome: Outcome, evidence: string): KeyCheck {
  if (outcome === 'out-of-credits') {
    return {
      name: 'credits-left',
      result: 'failed',
      evidence,
      nextStep: 'The key is right and its credits are used up. Buy credits at the upstream, then check the key again.',
    };
  }
  return outcome === 'accepted' ? passed('credits-left', evidence) : unknown('credits-left', evidence);
}

function withinRate(outcome: Outcome, evidence: string): KeyCheck {
  if (outcome === 'rate-limited') {
    return {
      name: 'within-rate',
      result: 'failed',
      evidence,
      nextStep: "The upstream limits this key's rate just now. Wait a minute, then check the key again.",
    };
  }
  return outcome === 'accepted' ? passed('within-rate', evidence) : unknown('within-rate', evidence);
}

/**
 * Enough to begin with? A key at its end is found here, and not by the customer's first calls.
 *
 * @param credits as the upstream says; undefined: it did not say
 */
export function describeFloor(credits: number | undefined, floor: number): KeyCheck {
  const name = 'credit-floor';
  if (credits === undefined) {
    return { ...unknown(name, 'The upstream did not say how many credits are left.'), nextStep: 'Look at its dashboard, or check the key again later.' };
  }
  const evidence = `The upstream says ${credits} credits are left.`;
  if (credits >= floor) return passed(name, evidence);
  return {
    name,
    result: 'failed',
    evidence,
    nextStep: `That is below ${floor}: the key works, and calls are answered 402 once they are used up. Buy credits at the upstream in time.`,
  };
}

/** Which 429 is whose, said before the first one comes. */
export const describeCeiling = ({ keyRate }: Catalog): KeyCheck => ({
  name: 'rate-ceiling',
  result: 'passed',
  evidence: `The upstream takes ${keyRate.perMinute} calls a minute of one key, ${keyRate.burst} at once.`,
  nextStep: "Nothing to do. Weir keeps your calls below it: a 429 limitedBy 'upstream-key' is this ceiling, 'upstream' is the upstream's own no, every other is a limit of your plan here.",
});

/** What a probe of a scope said: the scopes that it proved, and a line of the report. `answer` is absent when no probe could be made. */
export function describeScope(call: OwnCall, answer: Answer | undefined): { scopes: readonly string[]; check: KeyCheck } {
  const scope = call.endpoint.proves?.scope ?? '';
  const name = `scope-${scope}`;
  if (answer === undefined) {
    return {
      scopes: [],
      check: {
        ...unknown(name, 'The call could not be accounted for, so it was not made.'),
        nextStep: 'Check the key again in a moment.',
      },
    };
  }
  const seen = `GET ${call.endpoint.path} ${inWords(answer)}`;
  if (!isAsPromised(call, answer))
    return {
      scopes: [],
      check: { ...unknown(name, `${seen}.`), nextStep: 'Check the key again to learn whether it has this scope.' },
    };
  const scopes = provenScopes(call.endpoint, answer.is === 'answered' ? answer.body : undefined);
  if (scopes.length > 0) return { scopes, check: passed(name, `${seen}, with ${call.endpoint.proves?.fields.join(', ')}.`) };
  return {
    scopes,
    check: {
      name,
      result: 'failed',
      evidence: `${seen}, without ${call.endpoint.proves?.fields.join(', ')}.`,
      nextStep: `Calls that need '${scope}' will fail with this key; all others work. Ask the upstream for the scope if you need it.`,
    },
  };
}

/** What a key that failed its test call was not asked: named all the same, so that a report always has the same lines. */
export const describeUnseen = (probes: readonly OwnCall[]): KeyCheck[] =>
  [...probes.map(({ endpoint }) => `scope-${endpoint.proves?.scope ?? ''}`), 'credit-floor'].map((name) => unknown(name, 'Not looked at, since the test call failed.'));

function inWords(answer: Answer): string {
  switch (answer.is) {
    case 'answered':
      return `answered ${answer.status} in ${answer.tookMs} ms${answer.status === 200 && answer.body === undefined ? ', and not in JSON' : ''}`;
    case 'not-sent':
      return `was not sent: no connection (${answer.code})`;
    case 'no-answer':
      return `had no answer (${answer.code})`;
  }
}

const passed = (name: string, evidence: string): KeyCheck => ({ name, result: 'passed', evidence, nextStep: 'Nothing to do.' });
const unknown = (name: string, evidence: string): KeyCheck => ({
  name,
  result: 'unknown',
  evidence,
  nextStep: 'Resolve what failed, then check the key again.',
});

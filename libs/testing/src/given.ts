import assert from 'node:assert/strict';
import type { Aggregate, Decide } from '@weir/kernel';

/** Scenarios of an aggregate: given what has happened, when something is decided, then this happens, or that is refused. */
export function given<S, E>(aggregate: Aggregate<S, E>) {
  return (...past: E[]) => {
    const state = past.reduce(aggregate.evolve, aggregate.initial);
    return {
      when: (decide: Decide<S, E>) => ({
        then: (...expected: E[]) => assert.deepEqual(decide(state), expected),
        /** @param code of the AppError */
        throws: (code: string) => assert.throws(() => decide(state), { code }),
      }),
      expect: <T>(question: (state: S) => T) => ({ toEqual: (expected: T) => assert.deepEqual(question(state), expected) }),
    };
  };
}

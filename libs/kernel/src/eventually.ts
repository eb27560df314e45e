/** What is there already, or will be: where most answers are there at once, a promise for each would cost more than they do. `await` takes both. */
export type Eventually<T> = T | Promise<T>;

/** `next` with the value, now where it is there. What a value that is there throws is thrown, not rejected. */
export const andThen = <T, U>(value: Eventually<T>, next: (value: T) => Eventually<U>): Eventually<U> =>
  value instanceof Promise ? value.then(next) : next(value);

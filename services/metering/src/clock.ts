/** What the controllers ask for the time by. */
export const CLOCK = Symbol('clock');

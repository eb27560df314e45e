/** How a run ends: what scripts rely on. */
export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

/** As the API says it (RFC 9457), or as much of that as there was. */
export interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly requestId?: string | undefined;
  readonly [member: string]: unknown;
}

/** The API answered, and it was no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.detail);
  }
}

/** Nobody answered, or not in the way that Weir does. */
export class Unreachable extends Error {}

/** The command as it was given makes no sense; nothing was asked. */
export class UsageError extends Error {}

/** The API answered, and what it says is bad news: a broken chain, a refused key. Its answer has been printed. */
export class BadNews extends Error {}

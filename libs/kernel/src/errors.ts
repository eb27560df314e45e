/** What kind of trouble it is. One table turns it into an HTTP status, another into what a consumer of messages does. */
export type Category =
  | 'invalid'
  | 'unauthenticated'
  | 'payment-required'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'precondition-failed'
  | 'unprocessable'
  | 'failed-dependency'
  | 'rate-limited'
  | 'internal'
  | 'bad-gateway'
  | 'unavailable'
  | 'timeout';

const STATUS: Record<Category, number> = {
  invalid: 400,
  unauthenticated: 401,
  'payment-required': 402,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'precondition-failed': 412,
  unprocessable: 422,
  'failed-dependency': 424,
  'rate-limited': 429,
  internal: 500,
  'bad-gateway': 502,
  unavailable: 503,
  timeout: 504,
};

export const httpStatus = (category: Category): number => STATUS[category];

/** A consumer tries these again with backoff; every other error parks the message after bounded tries. */
export const isTransient = (error: unknown): boolean =>
  error instanceof AppError
    ? error.category === 'unavailable' || error.category === 'timeout'
    : isConnectionTrouble(error);

/** `ECONNREFUSED` and its kind, and the classes of SQLSTATE that mean 'not now' (08, 53, 57P, 57014 for a statement that took too long, 40001, 40P01, 55P03). */
export function isConnectionTrouble(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code !== 'string') return false;
  return /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|08|53|57P|57014|40001|40P01|55P03)/.test(code);
}

export interface ErrorOptions {
  /** Members of the case, shown to the caller: never a secret, never another tenant's. */
  details?: Record<string, unknown>;
  /** Whole seconds until a retry makes sense. */
  retryAfter?: number;
  cause?: unknown;
}

/**
 * The one error that crosses layers. `message` is public and says what to do next; the cause is for the log alone.
 */
export class AppError extends Error {
  readonly details: Record<string, unknown>;
  readonly retryAfter: number | undefined;

  constructor(
    readonly code: string,
    readonly category: Category,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.details = options.details ?? {};
    this.retryAfter = options.retryAfter;
  }

  get status(): number {
    return STATUS[this.category];
  }
}

/** Another tenant's thing and a thing that never was are the same answer. */
export const notFound = (what: string): AppError =>
  new AppError('not-found', 'not-found', `There is no such ${what}, or it is not yours.`);

export const invalid = (message: string, details: Record<string, unknown> = {}): AppError =>
  new AppError('invalid-request', 'invalid', message, { details });

export const versionConflict = (actual: number | string): AppError =>
  new AppError(
    'version-conflict',
    'precondition-failed',
    `The resource has changed meanwhile; its version is now ${actual}. Read it again and repeat the change.`,
    { details: { actual } },
  );

export const unavailable = (code: string, message: string, cause?: unknown): AppError =>
  new AppError(code, 'unavailable', message, { cause, retryAfter: 1 });

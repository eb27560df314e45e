import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError, isConnectionTrouble, unavailable } from '@weir/kernel';
import type { Logger } from 'pino';
import { throwError } from 'rxjs';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string;
  readonly [member: string]: unknown;
}

/** RFC 9457, with `code`, `detail` (what to do next), `requestId` and the members of the case. */
export const toProblem = (error: AppError, requestId: string): Problem => ({
  type: `https://weir.dev/problems/${error.code}`,
  title: error.code.replaceAll('-', ' '),
  status: error.status,
  code: error.code,
  detail: error.message,
  requestId,
  ...error.details,
});

/** Whatever was thrown, as the error to answer with; what we did not foresee is `internal`, its cause for the log alone. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof HttpException) return fromHttp(thrown.getStatus(), thrown.message, thrown);
  const status = (thrown as { statusCode?: unknown } | undefined)?.statusCode;
  if (typeof status === 'number' && status >= 400 && status < 500) return fromHttp(status, (thrown as Error).message, thrown);
  if (isConnectionTrouble(thrown)) return unavailable('dependency-unavailable', 'A part that this needs cannot be reached now. Try again in a moment.', thrown);
  return new AppError('internal', 'internal', 'Something went wrong on our side. Try again; if it stays, report the request id.', { cause: thrown });
}

function fromHttp(status: number, message: string, cause: unknown): AppError {
  if (status === 404) return new AppError('not-found', 'not-found', 'There is nothing at this address.', { cause });
  if (status === 401) return new AppError('unauthenticated', 'unauthenticated', message, { cause });
  if (status === 403) return new AppError('forbidden', 'forbidden', message, { cause });
  if (status >= 500) return new AppError('internal', 'internal', 'Something went wrong on our side.', { cause });
  return new OtherStatus(status, message, cause);
}

const CODES: Record<number, string> = { 405: 'method-not-allowed', 408: 'request-timeout', 413: 'body-too-large', 414: 'uri-too-long', 415: 'unsupported-media-type' };

/** A status that HTTP itself gives and that no category of ours stands for. */
class OtherStatus extends AppError {
  constructor(
    private readonly httpCode: number,
    message: string,
    cause: unknown,
  ) {
    super(CODES[httpCode] ?? 'invalid-request', 'invalid', message, { cause });
  }

  override get status(): number {
    return this.httpCode;
  }
}

export function sendProblem(reply: FastifyReply, request: FastifyRequest, error: AppError, log: Logger): void {
  const { headers, body } = problemAnswer(error, request, log);
  void reply.status(error.status).headers(headers).send(body);
}

/** What answers an error, for whoever writes it; logged where it is trouble of ours. */
export function problemAnswer(error: AppError, { id, url }: { readonly id: string; readonly url: string }, log: Logger): { headers: Record<string, string>; body: string } {
  if (error.status >= 500) {
    // 'not now', said without a cause, is an answer and no trouble of ours
    const level = error.cause === undefined && error.category === 'unavailable' ? 'debug' : 'error';
    log[level]({ err: error.cause ?? error, code: error.code, requestId: id, url: url.split('?')[0] }, error.message);
  }
  const headers: Record<string, string> = { 'content-type': 'application/problem+json; charset=utf-8' };
  if (error.retryAfter !== undefined) headers['retry-after'] = String(Math.ceil(error.retryAfter));
  if (error.status === 401) headers['www-authenticate'] = 'Bearer realm="weir"';
  return { headers, body: JSON.stringify(toProblem(error, id)) };
}

/** For messages, the error goes on to the consumer's loop, which decides; for HTTP it becomes a problem. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): unknown {
    if (host.getType() !== 'http') return throwError(() => thrown);
    const http = host.switchToHttp();
    sendProblem(http.getResponse<FastifyReply>(), http.getRequest<FastifyRequest>(), toAppError(thrown), this.log);
    return undefined;
  }
}

import { createHash } from 'node:crypto';
import { SetMetadata, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import { AppError, canonicalJson, invalid, newUuid, rfc3339, sleep } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { from, type Observable } from 'rxjs';
import { firstValueFrom } from 'rxjs';
import { toAppError, toProblem } from './problem';
import { principalOf, type WeirRequest } from './request';

/**
 * Idempotency-Key on every POST, scoped by who calls: one effect, and the first answer for each retry.
 *
 *     (absent) ──first──▶ running ──answered──▶ done
 *                            └──lease ran out──▶ running again, under the same command id: what the first had committed the
 *                                                event log returns, so it is done once
 *
 * A lease is renewed while its request is worked on, so that it may be short: who repeats a request whose process was killed has the
 * answer within one wait.
 */
const LEASE_MS = 5_000;
const WAIT_MS = 10_000;
const NOT_REPLAYABLE = 'weir:not-replayable';

/** The answer holds a secret that is shown once and kept nowhere: a retry is told so instead of being shown it. */
export const NotReplayable = (detail: string): MethodDecorator => SetMetadata(NOT_REPLAYABLE, detail);

interface Row {
  request_hash: string;
  command_id: string;
  at: string;
  state: 'running' | 'done';
  status: number | null;
  body: string | null;
  headers: Record<string, string> | null;
  live: boolean;
}

export class IdempotencyInterceptor implements NestInterceptor {
  constructor(
    private readonly work: UnitOfWork,
    private readonly reflector: Reflector,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const request = context.switchToHttp().getRequest<WeirRequest>();
    const key = request.headers['idempotency-key'];
    if (request.method !== 'POST' || key === undefined) return next.handle();
    if (typeof key !== 'string' || key.length === 0 || key.length > 255) throw invalid('Idempotency-Key must have 1 to 255 characters.');
    const notReplayable = this.reflector.get<string | undefined>(NOT_REPLAYABLE, context.getHandler());
    return from(this.once(request, context.switchToHttp().getResponse<FastifyReply>(), key, notReplayable, next));
  }

  private async once(request: WeirRequest, reply: FastifyReply, key: string, notReplayable: string | undefined, next: CallHandler): Promise<unknown> {
    const principal = principalOf(request);
    const scope = principal.is === 'operator' ? 'operator' : principal.tenantId;
    const hash = createHash('sha256').update(`${request.method} ${request.url}\n${canonicalJson(request.body ?? null)}`).digest('hex');

    const claim = await this.claim(scope, key, hash);
    if ('replay' in claim) return replay(claim.replay, reply);
    request.command = claim.command;

    // a renewal that fails is made good by the next one
    const renewing = setInterval(() => void this.renew(scope, key, claim.command.id).catch(() => undefined), LEASE_MS / 3);
    try {
      const body: unknown = await firstValueFrom(next.handle(), { defaultValue: undefined });
      const headers = pick(reply, ['etag', 'location']);
      const kept = notReplayable === undefined ? { status: reply.statusCode, body } : { status: 409, body: notReplayableProblem(notReplayable, request.id) };
      await this.finish(scope, key, kept.status, kept.body, headers);
      return body;
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.status >= 500 || error.status === 429) await this.giveUp(scope, key);
      else await this.finish(scope, key, error.status, toProblem(error, request.id), {});
      throw thrown;
    } finally {
      clearInterval(renewing);
    }
  }

  private async claim(scope: string, key: string, hash: string): Promise<{ command: { id: string; at: number } } | { replay: Row }> {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      const { mine, row } = await this.work.inControl((sql) => claimOrRead(sql, scope, key, hash));
      if (row.request_hash !== hash) throw reused();
      if (mine) return { command: { id: row.command_id, at: Number(row.at) } };
      if (row.state === 'done') return { replay: row };
      if (Date.now() > deadline) throw stillRunning();
      await sleep(50);
    }
  }

  private async finish(scope: string, key: string, status: number, body: unknown, headers: Record<string, string>): Promise<void> {
    await this.work.inControl((sql) =>
      sql.query(
        `update weir.idempotency_keys set state = 'done', status = $3, body = $4, headers = $5, lease_until = now() where scope = $1 and key = $2`,
        [scope, key, status, body === undefined ? null : JSON.stringify(body), JSON.stringify(headers)],
      ),
    );
  }

  private async renew(scope: string, key: string, command: string): Promise<void> {
    await this.work.inControl((sql) =>
      sql.query(`update weir.idempotency_keys set lease_until = now() + $4 * interval '1 ms' where scope = $1 and key = $2 and command_id = $3 and state = 'running'`, [
        scope,
        key,
        command,
        LEASE_MS,
      ]),
    );
  }

  private async giveUp(scope: string, key: string): Promise<void> {
    await this.work.inControl((sql) =>
      sql.query(`update weir.idempotency_keys set lease_until = now() where scope = $1 and key = $2 and state = 'running'`, [scope, key]),
    );
  }
}

// A key stands for its request for a day. Whoever claims one takes a few that are over with it, so that the table does not grow for ever.
const FORGET = `with over as (
    select scope, key from weir.idempotency_keys where created_at < now() - interval '1 day' order by created_at limit 20 for update skip locked)
  delete from weir.idempotency_keys k
  where k.created_at < now() - interval '1 day' and ((k.scope = $1 and k.key = $2) or (k.scope, k.key) in (select scope, key from over))`;

// The command's id is the claim's own: under one that came from the key alone, the log would answer a new request with what an old one did.
async function claimOrRead(sql: Sql, scope: string, key: string, hash: string): Promise<{ mine: boolean; row: Row }> {
  await sql.query(FORGET, [scope, key]);
  const claimed = await sql.query<Row>(
    `insert into weir.idempotency_keys as k (scope, key, request_hash, command_id, at, lease_until)
     values ($1, $2, $3, $4, $5, now() + $6 * interval '1 ms')
     on conflict (scope, key) do update
       set lease_until = excluded.lease_until
       where k.state = 'running' and k.lease_until <= now() and k.request_hash = excluded.request_hash
     returning request_hash, command_id, at, state, status, body, headers, true as live`,
    [scope, key, hash, `idempotency/${scope}/${key}/${newUuid()}`, Date.now(), LEASE_MS],
  );
  if (claimed.rows[0] !== undefined) return { mine: true, row: claimed.rows[0] };
  const { rows } = await sql.query<Row>(
    `select request_hash, command_id, at, state, status, body, headers, lease_until > now() as live
     from weir.idempotency_keys where scope = $1 and key = $2`,
    [scope, key],
  );
  if (rows[0] === undefined) throw stillRunning();
  return { mine: false, row: rows[0] };
}

function replay(row: Row, reply: FastifyReply): unknown {
  const status = row.status ?? 200;
  void reply.status(status).header('idempotent-replayed', 'true');
  for (const [name, value] of Object.entries(row.headers ?? {})) void reply.header(name, value);
  const body: unknown = row.body === null ? undefined : JSON.parse(row.body);
  if (status < 400) return body;
  void reply.header('content-type', 'application/problem+json; charset=utf-8');
  return body;
}

function pick(reply: FastifyReply, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (reply.hasHeader(name) ? [[name, String(reply.getHeader(name))]] : [])));
}

const notReplayableProblem = (detail: string, requestId: string) =>
  toProblem(new AppError('idempotency-not-replayable', 'conflict', detail, { details: { doneAt: rfc3339(Date.now()) } }), requestId);

const reused = () =>
  new AppError('idempotency-key-reused', 'unprocessable', 'This Idempotency-Key was used with another request. Use a new key for a new request.');

const stillRunning = () =>
  new AppError('idempotency-in-progress', 'conflict', 'The first request with this Idempotency-Key is still being worked on. Try again.', { retryAfter: 1 });

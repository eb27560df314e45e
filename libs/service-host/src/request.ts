import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Principal } from '@weir/access';
import { invalid, notFound, parseId, type CommandContext, type TenantId } from '@weir/kernel';
import { headerText } from './plain-text';

/** What the host adds to a request on its way in. */
export interface WeirRequest extends FastifyRequest {
  principal?: Principal;
  /** The same for every retry under one Idempotency-Key. */
  command?: { id: string; at: number };
}

const requestOf = (context: ExecutionContext): WeirRequest => context.switchToHttp().getRequest<WeirRequest>();

/** The tenant of the path, `:t`; what cannot be an id is not found. */
export const Tenant = createParamDecorator((_: unknown, context: ExecutionContext): TenantId => tenantOf(requestOf(context)));

export function tenantOf(request: WeirRequest): TenantId {
  const id = parseId('ten', (request.params as { t?: string }).t ?? '');
  if (id === undefined) throw notFound('tenant');
  return id;
}

export const By = createParamDecorator((_: unknown, context: ExecutionContext): Principal => principalOf(requestOf(context)));

export function principalOf(request: WeirRequest): Principal {
  if (request.principal === undefined) throw new Error('the route has no guard');
  return request.principal;
}

/** Who commands what and why: for the envelope of the events that follow. */
export const Command = createParamDecorator((_: unknown, context: ExecutionContext): CommandContext => {
  const request = requestOf(context);
  const reason = request.headers['weir-reason'];
  return {
    actor: principalOf(request).actor,
    commandId: request.command?.id ?? request.id,
    at: request.command?.at ?? Date.now(),
    action: `${request.method} ${request.routeOptions.url ?? request.url}`,
    reason: typeof reason === 'string' ? headerText(reason).slice(0, 500).toWellFormed() : undefined,
    requestId: request.id,
  };
});

/** The version in If-Match, `"7"`; undefined when there is none. */
export const IfMatch = createParamDecorator((_: unknown, context: ExecutionContext): number | undefined => {
  const header = requestOf(context).headers['if-match'];
  if (header === undefined || header === '*') return undefined;
  const version = /^(?:W\/)?"(\d{1,9})"$/.exec(header)?.[1];
  if (version === undefined) throw invalid('If-Match must be the ETag of the resource, such as "7".');
  return Number(version);
});

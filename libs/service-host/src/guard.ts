import { applyDecorators, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { ApiBearerAuth, ApiExtension, ApiOperation } from '@nestjs/swagger';
import type { Access, Need } from '@weir/access';
import { AppError, parseId, notFound, type TenantId } from '@weir/kernel';
import type { WeirRequest } from './request';

const NEEDS = 'weir:needs';

/** Who may call a route, and what the reference says of it. A route without it is refused: nothing is open by oversight. */
export const Needs = (need: Need | 'nobody', summary: string): MethodDecorator & ClassDecorator =>
  applyDecorators(SetMetadata(NEEDS, need), ApiOperation({ summary }), ApiExtension('x-weir-needs', need), ApiBearerAuth());

export class AccessGuard implements CanActivate {
  constructor(
    private readonly access: Access,
    private readonly reflector: Reflector,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true;
    const need = this.reflector.getAllAndOverride<Need | 'nobody' | undefined>(NEEDS, [context.getHandler(), context.getClass()]);
    if (need === 'nobody') return true;
    if (need === undefined) throw new Error(`${context.getClass().name}.${context.getHandler().name} does not say who may call it`);

    const request = context.switchToHttp().getRequest<WeirRequest>();
    assertOneAuthorization(request);
    const key = request.headers['x-api-key'];
    const principal = this.access.authenticate(request.headers.authorization ?? (typeof key === 'string' ? key : undefined));
    const named = (request.params as { t?: string }).t;
    this.access.authorize(principal, need, named === undefined ? undefined : tenantId(named));
    request.principal = principal;
    return true;
  }
}

function tenantId(text: string): TenantId {
  const id = parseId('ten', text);
  if (id === undefined) throw notFound('tenant');
  return id;
}

/** Node keeps the first of two Authorization headers; a proxy before us may have looked at the second. */
export function assertOneAuthorization({ raw: { rawHeaders: raw } }: { readonly raw: { readonly rawHeaders: readonly string[] } }): void {
  let seen = 0;
  for (let i = 0; i < raw.length; i += 2) if (raw[i]?.toLowerCase() === 'authorization') seen++;
  if (seen > 1) throw new AppError('invalid-request', 'invalid', 'Send one Authorization header, not several.');
}

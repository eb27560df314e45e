import { timingSafeEqual } from 'node:crypto';
import { apiTokenState, tenantState, type ApiTokenState, type Role, type TenantState } from '@weir/contracts';
import { AppError, idTimeMs, notFound, type Actor, type Clock, type ProjectId, type TenantId, type TokenId } from '@weir/kernel';
import { staleState, type StateReader } from './state-reader';
import type { StateTable } from './state-table';
import { parseToken, type ParsedToken, type TokenMode } from './token';

/** Who calls. */
export type Principal =
  | { readonly is: 'operator'; readonly actor: Actor }
  | {
      readonly is: 'token';
      readonly actor: Actor;
      readonly tenantId: TenantId;
      readonly tokenId: TokenId;
      readonly projectId: ProjectId;
      readonly role: Role;
      readonly mode: TokenMode;
    };

/** What a route asks for: operator alone, the tenant's owner or admin, a member, an auditor. */
export type Need = 'operator' | 'admin' | 'member' | 'auditor' | 'anyone';

const RIGHTS: Record<Need, readonly Role[]> = {
  operator: [],
  admin: ['owner', 'admin'],
  member: ['owner', 'admin', 'member'],
  auditor: ['owner', 'admin', 'auditor'],
  anyone: ['owner', 'admin', 'member', 'auditor'],
};

/** A token this young may be on its way to us. */
const ON_ITS_WAY_MS = 10_000;
const SEEN_AT_MOST = 10_000;

export class Access {
  readonly tokens: StateTable<ApiTokenState>;
  readonly tenants: StateTable<TenantState>;
  private readonly operator: ParsedToken | undefined;
  /** Tokens that were found good, by what was sent, as long as their records are the same: checksum and hash are computed once. */
  private readonly seen = new Map<string, { readonly record: ApiTokenState; readonly principal: Principal }>();

  constructor(
    private readonly states: StateReader,
    private readonly clock: Clock,
    operatorToken: string | undefined,
  ) {
    this.tokens = states.table(apiTokenState);
    this.tenants = states.table(tenantState);
    this.operator = operatorToken === undefined ? undefined : parseToken(operatorToken);
  }

  /**
   * Whose token it is. No database, no call to another service.
   *
   * @param authorization the header, `Bearer weir_…`, or the token itself (`X-Api-Key`)
   * @throws AppError `unauthenticated` (401), `stale-state` (503)
   */
  authenticate(authorization: string | undefined): Principal {
    const seen = authorization === undefined ? undefined : this.seen.get(authorization);
    if (seen !== undefined && this.tokens.get(seen.record.id) === seen.record && !this.expired(seen.record)) {
      this.states.assertFresh();
      return seen.principal;
    }
    const text = authorization?.replace(/^Bearer /i, '');
    const token = text === undefined ? undefined : parseToken(text);
    if (token === undefined) throw unauthenticated();
    if (this.operator !== undefined && token.id === this.operator.id) {
      if (!sameHash(token, this.operator.secretHash)) throw unauthenticated();
      return { is: 'operator', actor: { type: 'operator', id: token.id } };
    }

    this.states.assertFresh();
    const record = this.tokens.get(token.id);
    if (record === undefined) {
      if (this.mayBeOnItsWay(token.id)) throw staleState('The token is so new that it is not known here yet.');
      throw unauthenticated();
    }
    if (this.expired(record) || record.mode !== token.mode || !sameHash(token, record.secretHash)) throw unauthenticated();
    const principal: Principal = {
      is: 'token',
      actor: { type: 'token', id: record.id },
      tenantId: record.tenantId,
      tokenId: record.id,
      projectId: record.projectId,
      role: record.role,
      mode: record.mode,
    };
    if (this.seen.size >= SEEN_AT_MOST) this.seen.clear();
    if (authorization !== undefined) this.seen.set(authorization, { record, principal });
    return principal;
  }

  private expired({ expiresAt }: ApiTokenState): boolean {
    return expiresAt !== null && expiresAt <= this.clock();
  }

  /**
   * Whether the principal may do what the route needs, to that tenant. Another tenant's id answers as an unknown one does.
   *
   * @throws AppError `not-found` (404), `forbidden` (403)
   */
  authorize(principal: Principal, need: Need, tenant: TenantId | undefined): void {
    if (principal.is === 'operator') return;
    if (tenant !== undefined && tenant !== principal.tenantId) throw notFound('tenant');
    if (!RIGHTS[need].includes(principal.role)) throw forbidden(need);
  }

  private mayBeOnItsWay(id: TokenId): boolean {
    const age = this.clock() - idTimeMs(id);
    return age < ON_ITS_WAY_MS && age > -ON_ITS_WAY_MS && !this.tokens.knows(id);
  }
}

const sameHash = (token: ParsedToken, hash: string): boolean => {
  const a = Buffer.from(token.secretHash);
  const b = Buffer.from(hash);
  return a.length === b.length && timingSafeEqual(a, b);
};

const unauthenticated = () =>
  new AppError('unauthenticated', 'unauthenticated', 'Send a valid token: Authorization: Bearer weir_… It may be mistyped, expired or revoked.');

const forbidden = (need: Need) =>
  new AppError('forbidden', 'forbidden', need === 'operator' ? 'Only an operator may do this.' : `This token's role may not do this; it takes the rights of: ${RIGHTS[need].join(', ')}.`);

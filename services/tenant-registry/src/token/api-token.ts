import type { ApiTokenEvent, ApiTokenState, Role } from '@weir/contracts';
import { fact, unreachable, type Decide, type ProjectId, type TokenId } from '@weir/kernel';
import { tokenNotFound } from '../errors';

/** issued ──rerolled──▶ expiring ──(its grace ends)──▶ refused;  issued | expiring ──revoked──▶ revoked */
export type ApiToken = { is: 'unknown' } | { is: 'revoked' } | UsableToken;

export interface UsableToken {
  readonly is: 'usable';
  readonly label: string;
  readonly mode: ApiTokenState['mode'];
  readonly role: Role;
  readonly projectId: ProjectId;
  readonly expiresAt: number | null;
  readonly replacedBy: TokenId | undefined;
}

const initial: ApiToken = { is: 'unknown' };

function evolve(state: ApiToken, event: ApiTokenEvent): ApiToken {
  switch (event.type) {
    case 'api-token.issued': {
      const { tokenId: _, ...rest } = event.data;
      return { is: 'usable', ...rest, replacedBy: undefined };
    }
    case 'api-token.rerolled':
      return state.is === 'usable' ? { ...state, expiresAt: event.data.graceUntil, replacedBy: event.data.replacedBy } : state;
    case 'api-token.revoked':
      return { is: 'revoked' };
    default:
      return unreachable(event);
  }
}

export const apiToken = { initial, evolve };

type Decision = Decide<ApiToken, ApiTokenEvent>;

export const issue =
  (command: { tokenId: TokenId; label: string; mode: 'live' | 'test'; role: Role; projectId: ProjectId; expiresAt: number | null }): Decision =>
  (state) =>
    state.is === 'unknown' ? [fact('api-token.issued', command)] : [];

export const reroll =
  (command: { tokenId: TokenId; replacedBy: TokenId; graceUntil: number }): Decision =>
  (state) => {
    const token = usable(state);
    return token.replacedBy === undefined ? [fact('api-token.rerolled', command)] : [];
  };

export const revoke =
  (tokenId: TokenId): Decision =>
  (state) => {
    if (state.is === 'revoked') return [];
    usable(state);
    return [fact('api-token.revoked', { tokenId })];
  };

export function usable(state: ApiToken): UsableToken {
  if (state.is !== 'usable') throw tokenNotFound();
  return state;
}

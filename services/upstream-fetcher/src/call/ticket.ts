import type { KeyChoice } from './key-choice';

/** What a refusal gave and the caller brings back: a slot that is kept for it on one upstream key. */
export interface Ticket {
  readonly keyId: string;
  readonly ticket: string;
}

/** One word for the header `Weir-Ticket`; callers read nothing out of it. */
export const writeTicket = ({ keyId, ticket }: Ticket): string => Buffer.from(`${keyId} ${ticket}`).toString('base64url');

/** Undefined for what is no ticket: a call with a spoilt one is a call without one. */
export function readTicket(header: string | string[] | undefined): Ticket | undefined {
  if (typeof header !== 'string' || header.length > 400) return undefined;
  const [keyId, ticket, ...rest] = Buffer.from(header, 'base64url').toString('latin1').split(' ');
  // the limiter's own bounds of a name
  if (keyId === undefined || ticket === undefined || rest.length > 0 || !NAME.test(keyId) || !NAME.test(ticket)) return undefined;
  return { keyId, ticket };
}

const NAME = /^[\w/.:-]{1,200}$/;

/** The key on which the slot is comes first: it is of no use elsewhere. */
export function ticketFirst(keys: KeyChoice, ticket: Ticket | undefined): KeyChoice {
  const at = ticket === undefined ? -1 : keys.candidates.findIndex(({ key }) => key.id === ticket.keyId);
  if (at < 1) return keys;
  const first = keys.candidates.slice(at, at + 1);
  return { ...keys, candidates: [...first, ...keys.candidates.slice(0, at), ...keys.candidates.slice(at + 1)] };
}

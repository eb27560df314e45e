import { parseId, type KeyId } from '@weir/kernel';
import type { FastifyReply } from 'fastify';
import { keyNotFound } from '../errors';
import type { UpstreamKeyView } from './upstream-key.view';

export const REGISTERED = {
  description:
    'The key with the report on it as lastCheck. A key that is refused is answered too: state invalid or depleted, and what to do',
};
export const ROTATED = {
  description: 'The key with the report on the new version; one that is refused leaves the active version as it was',
};
export const CHECKED = { description: 'The key with the report as lastCheck' };

export function keyIdOf(text: string): KeyId {
  const id = parseId('key', text);
  if (id === undefined) throw keyNotFound();
  return id;
}

export function tagged(reply: FastifyReply, view: UpstreamKeyView): UpstreamKeyView {
  void reply.header('etag', `"${view.version}"`);
  return view;
}

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { invalid } from '@weir/kernel';
import type { Logger } from 'pino';
import { sendProblem } from './problem';

/**
 * Refuses text that is none: U+0000, which Postgres cannot hold, and halves of surrogate pairs, which no UTF-8 has. Let in, they would come
 * back as a failure of ours.
 */
export function refuseNoText(fastify: FastifyInstance, log: Logger): void {
  const refusal = () => invalid('The request has a character that text cannot have: U+0000, or half of a surrogate pair.');
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.url.includes('%00')) sendProblem(reply, request, refusal(), log);
    else done();
  });
  fastify.addHook('preValidation', (request, reply, done) => {
    if (holdsNoText(request.body)) sendProblem(reply, request, refusal(), log);
    else done();
  });
}

/** No recursion: depth is the sender's. */
function holdsNoText(body: unknown): boolean {
  const waiting: unknown[] = [body];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed())) return true;
    if (typeof value === 'object' && value !== null) for (const [name, inner] of Object.entries(value)) waiting.push(name, inner);
  }
  return false;
}

/** Node reads headers as Latin-1; who types one into a terminal sends UTF-8. What is valid UTF-8 is taken for it. */
export function headerText(header: string): string {
  const bytes = Buffer.from(header, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : header;
}

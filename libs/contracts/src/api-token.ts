import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { ROLES, oneOf, projectId, tenantId, text, timestamp, tokenId } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

const topic = eventsTopic('api-token');
const expiry = () => plain(z.number().int().nullable());

export const apiTokenIssued = event(topic, 'api-token.issued', 'A token was made. Its secret was shown once and is kept nowhere.', {
  tokenId: tokenId(),
  label: text(),
  mode: oneOf('live', 'test'),
  role: oneOf(...ROLES),
  projectId: projectId(),
  expiresAt: expiry(),
});
export const apiTokenRerolled = event(topic, 'api-token.rerolled', 'A successor was issued; the old token works until the grace ends.', {
  tokenId: tokenId(),
  replacedBy: tokenId(),
  graceUntil: timestamp(),
});
export const apiTokenRevoked = event(topic, 'api-token.revoked', 'The token is refused from here on.', { tokenId: tokenId() });

export type ApiTokenEvent = FactOf<typeof apiTokenIssued | typeof apiTokenRerolled | typeof apiTokenRevoked>;

export const apiTokenState = record(
  stateTopic('api-token'),
  'api-token.state',
  'What a service needs to recognise a token; a tombstone when it is revoked.',
  z.object({
    id: tokenId(),
    tenantId: tenantId(),
    projectId: projectId(),
    mode: oneOf('live', 'test'),
    role: oneOf(...ROLES),
    /** SHA-256 of the secret (256 random bits), base64url. */
    secretHash: text(),
    expiresAt: expiry(),
  }),
);
export type ApiTokenState = z.infer<typeof apiTokenState.schema>;

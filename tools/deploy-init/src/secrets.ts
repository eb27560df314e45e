import { randomBytes } from 'node:crypto';
import { mintToken } from '@weir/access';

/** New secrets for docker-compose.yml, as the text of a .env file. Passwords are hex: they stand in addresses. */
export function newSecrets(): string {
  const password = () => randomBytes(24).toString('hex');
  return [
    `POSTGRES_PASSWORD=${password()}`,
    `WEIR_LOGIN_PASSWORD=${password()}`,
    `WEIR_OPERATOR_TOKEN=${mintToken({ mode: 'live' }).token}`,
    `WEIR_WEBHOOK_KEY=${randomBytes(32).toString('hex')}`,
    '',
  ].join('\n');
}

import { parseToken } from '@weir/access';
import { newSecrets } from './secrets';

const parsed = () => Object.fromEntries(newSecrets().trim().split('\n').map((line) => line.split('=', 2) as [string, string]));

describe('secrets for a .env', () => {
  test('the operator token is one that services take', () => {
    expect(parseToken(parsed()['WEIR_OPERATOR_TOKEN'] ?? '')).toMatchObject({ mode: 'live' });
  });

  test('passwords are long, and stand in an address as they are', () => {
    const { POSTGRES_PASSWORD = '', WEIR_LOGIN_PASSWORD = '' } = parsed();
    for (const password of [POSTGRES_PASSWORD, WEIR_LOGIN_PASSWORD]) {
      expect(password).toMatch(/^[0-9a-f]{48}$/);
      expect(encodeURIComponent(password)).toBe(password);
    }
  });

  test('the key of webhooks is one that metering takes', () => {
    expect(parsed()['WEIR_WEBHOOK_KEY']).toMatch(/^[0-9a-f]{64}$/);
  });

  test('no two runs share one', () => {
    const [one, other] = [Object.values(parsed()), Object.values(parsed())];
    expect(new Set([...one, ...other]).size).toBe(8);
  });
});

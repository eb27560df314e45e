import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebhookSigner } from './signature';
import { openSigningKey } from './signing-key';

const signer = new WebhookSigner(Buffer.alloc(32, 7));
const MESSAGE = { id: 'msg_1', body: '{"type":"a"}', at: 1_700_000_000_999 };

/** As a receiver does it who has read the specification alone. */
function verified(secret: string, headers: Record<string, string>, body: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
  return (headers['webhook-signature'] ?? '').split(' ').includes(`v1,${expected}`);
}

describe('a webhook’s signature', () => {
  it('is one that a receiver can check with its secret, over id, time in seconds and body', () => {
    const headers = signer.headers('whk_1', [0], MESSAGE);
    expect(headers['webhook-timestamp']).toBe('1700000000');
    expect(verified(signer.secretOf('whk_1', 0), headers, MESSAGE.body)).toBe(true);
    expect(verified(signer.secretOf('whk_1', 0), headers, '{"type":"b"}')).toBe(false);
    expect(verified(signer.secretOf('whk_2', 0), headers, MESSAGE.body)).toBe(false);
    expect(verified(signer.secretOf('whk_1', 1), headers, MESSAGE.body)).toBe(false);
  });

  it('is made with both secrets while one is rotated', () => {
    const headers = signer.headers('whk_1', [1, 0], MESSAGE);
    for (const rotation of [0, 1]) expect(verified(signer.secretOf('whk_1', rotation), headers, MESSAGE.body)).toBe(true);
  });

  it('has a secret of 32 bytes, another one for each installation', () => {
    expect(signer.secretOf('whk_1', 0)).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(new WebhookSigner(Buffer.alloc(32, 8)).secretOf('whk_1', 0)).not.toBe(signer.secretOf('whk_1', 0));
  });
});

describe('the installation’s key', () => {
  const file = () => join(mkdtempSync(join(tmpdir(), 'weir-webhooks-')), 'data', 'webhook.key');

  it('is the setting’s, or made once in a file that is nobody else’s to read', () => {
    const place = file();
    expect(openSigningKey({ key: '0a'.repeat(32), file: place }).toString('hex')).toBe('0a'.repeat(32));
    expect(existsSync(place)).toBe(false);
    const made = openSigningKey({ key: undefined, file: place });
    expect(openSigningKey({ key: undefined, file: place })).toEqual(made);
    expect(statSync(place).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['a key that is too short', () => openSigningKey({ key: 'abc', file: file() })],
    ['a directory that cannot be made', () => openSigningKey({ key: undefined, file: join(__filename, 'nowhere', 'webhook.key') })],
    [
      'a file that holds something else',
      () => {
        const place = join(mkdtempSync(join(tmpdir(), 'weir-webhooks-')), 'webhook.key');
        writeFileSync(place, 'not a key');
        return openSigningKey({ key: undefined, file: place });
      },
    ],
  ])('%s is one clear line', (_, open) => {
    expect(open).toThrow(expect.objectContaining({ code: 'bad-configuration' }));
  });
});

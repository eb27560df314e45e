import { createHmac } from 'node:crypto';

/**
 * Secrets of webhooks and signatures with them, as the Standard Webhooks specification has them
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): `webhook-signature` is a list of
 * `v1,<base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>">`, one for each secret that is good at the time.
 *
 * A secret is computed from the installation's key, the webhook and how often it was rotated, so that no store and no backup holds one.
 */
export class WebhookSigner {
  constructor(private readonly key: Buffer) {}

  /** `whsec_` and 32 bytes in base64: what a receiver is given, once, and checks with. */
  secretOf(webhookId: string, rotation: number): string {
    return `whsec_${this.secret(webhookId, rotation).toString('base64')}`;
  }

  /** @param rotations of the secrets that are good now, newest first */
  headers(webhookId: string, rotations: readonly number[], message: { id: string; body: string; at: number }): Record<string, string> {
    const timestamp = String(Math.floor(message.at / 1_000));
    const signatures = rotations.map((rotation) => `v1,${createHmac('sha256', this.secret(webhookId, rotation)).update(`${message.id}.${timestamp}.${message.body}`).digest('base64')}`);
    return { 'webhook-id': message.id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
  }

  private secret(webhookId: string, rotation: number): Buffer {
    return createHmac('sha256', this.key).update(`weir webhook 1\n${webhookId}\n${rotation}`).digest();
  }
}

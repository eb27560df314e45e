import { newId, rfc3339, type Clock, type CommandContext, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { deliveryNotFound, tooManyWebhooks, webhookNotFound } from '../errors';
import { assertDeliverable } from './addresses';
import type { WebhookSigner } from './signature';

/** What a webhook can be told of. */
export const WEBHOOK_TYPES = ['budget.threshold-crossed', 'budget.forecast-exceeded', 'invoice.finalized', 'invoice.credited', 'upstream-key.status-changed'] as const;
export type WebhookType = (typeof WEBHOOK_TYPES)[number];

const MOST_WEBHOOKS = 10;
/** What happened before a webhook was there is no news to it, also when topics are filled again. So far may the clocks of two services be apart. */
const CLOCKS_APART_MS = 60_000;
/** How long the secret before a rotation is signed with as well. */
const OVERLAP_MS = 24 * 3_600_000;

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly types: readonly WebhookType[];
  /** `disabled` after a receiver answered 410 Gone. */
  readonly status: 'enabled' | 'disabled';
  readonly createdAt: string;
}

export interface Delivery {
  readonly id: string;
  readonly webhookId: string;
  /** `webhook-id` of every attempt. */
  readonly messageId: string;
  readonly type: string;
  readonly status: 'pending' | 'delivered' | 'failed';
  readonly attempts: number;
  /** HTTP status of the last attempt's answer, if there was one; else why there was none. */
  readonly lastStatus: number | null;
  readonly lastError: string | null;
  readonly createdAt: string;
  readonly attemptedAt: string | null;
  readonly nextAt: string | null;
}

interface WebhookRow {
  id: string;
  url: string;
  types: WebhookType[];
  status: Webhook['status'];
  created_at: number;
}

interface DeliveryRow {
  id: string;
  webhook_id: string;
  message_id: string;
  type: string;
  status: Delivery['status'];
  attempts: number;
  last_status: number | null;
  last_error: string | null;
  created_at: number;
  attempted_at: number | null;
  next_at: number | null;
}

const DELIVERY = `id, webhook_id, message_id, type, status, attempts, last_status, last_error, created_at::float8 as created_at,
  attempted_at::float8 as attempted_at, next_at::float8 as next_at`;

export class Webhooks {
  constructor(
    private readonly work: UnitOfWork,
    private readonly signer: WebhookSigner,
    private readonly clock: Clock,
    private readonly privateToo: boolean,
  ) {}

  /** The secret is given here and at a rotation, and nowhere else. */
  async create(tenant: TenantId, { url, types }: { url: string; types: readonly WebhookType[] }, context: CommandContext): Promise<Webhook & { secret: string }> {
    const address = assertDeliverable(url, this.privateToo);
    const id = newId('whk', context.at);
    const row = await this.work.inTenant(tenant, async (sql) => {
      const { rows } = await sql.query<{ n: number }>('select count(*)::int as n from webhooks where tenant_id = $1', [tenant]);
      if ((rows[0]?.n ?? 0) >= MOST_WEBHOOKS) throw tooManyWebhooks(MOST_WEBHOOKS);
      const made = await sql.query<WebhookRow>(
        `insert into webhooks (tenant_id, id, url, types, status, created_at) values ($1, $2, $3, $4, 'enabled', $5)
         returning id, url, types, status, created_at::float8 as created_at`,
        [tenant, id, address, types, context.at],
      );
      return made.rows[0] as WebhookRow;
    });
    return { ...webhook(row), secret: this.signer.secretOf(id, 0) };
  }

  async list(tenant: TenantId): Promise<Webhook[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<WebhookRow>('select id, url, types, status, created_at::float8 as created_at from webhooks where tenant_id = $1 order by id', [tenant]),
    );
    return rows.map(webhook);
  }

  /** A new secret; the one before is signed with beside it for a day. */
  async rotate(tenant: TenantId, id: string): Promise<{ id: string; secret: string; previousUntil: string }> {
    const until = this.clock() + OVERLAP_MS;
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<{ rotation: number }>('update webhooks set rotation = rotation + 1, overlap_until = $3 where tenant_id = $1 and id = $2 returning rotation', [tenant, id, until]),
    );
    if (rows[0] === undefined) throw webhookNotFound();
    return { id, secret: this.signer.secretOf(id, rows[0].rotation), previousUntil: rfc3339(until) };
  }

  async remove(tenant: TenantId, id: string): Promise<void> {
    await this.work.inTenant(tenant, async (sql) => {
      const { rowCount } = await sql.query('delete from webhooks where tenant_id = $1 and id = $2', [tenant, id]);
      if (rowCount === 0) throw webhookNotFound();
      await sql.query('delete from webhook_deliveries where tenant_id = $1 and webhook_id = $2', [tenant, id]);
    });
  }

  /** Newest first. */
  async deliveries(tenant: TenantId, { limit, before }: { limit: number; before: string | undefined }): Promise<Delivery[]> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<DeliveryRow>(`select ${DELIVERY} from webhook_deliveries where tenant_id = $1 and ($2::text is null or id < $2) order by id desc limit $3`, [tenant, before ?? null, limit]),
    );
    return rows.map(delivery);
  }

  /** Again from the first attempt, under the same message id. */
  async replay(tenant: TenantId, id: string): Promise<Delivery> {
    const now = this.clock();
    return this.work.inTenant(tenant, async (sql) => {
      const { rows } = await sql.query<DeliveryRow>(
        `update webhook_deliveries set status = 'pending', attempts = 0, next_at = $3 where tenant_id = $1 and id = $2 returning ${DELIVERY}`,
        [tenant, id, now],
      );
      if (rows[0] === undefined) throw deliveryNotFound();
      await this.work.leaveTenant(sql);
      await schedule(sql, tenant, id, now);
      return delivery(rows[0]);
    });
  }

  /** For each webhook that asked for it, once however often the event arrives. */
  async announce(tenant: TenantId, event: { id: string; type: string; time: string; data: unknown }): Promise<void> {
    const body = JSON.stringify({ type: event.type, timestamp: event.time, data: event.data });
    const now = this.clock();
    await this.work.inTenant(tenant, async (sql) => {
      const { rows } = await sql.query<{ id: string }>(
        `insert into webhook_deliveries (tenant_id, id, webhook_id, message_id, type, body, status, created_at, next_at)
         select $1, 'dlv_' || $2 || '_' || substr(id, 5), id, 'msg_' || $2, $3, $4, 'pending', $5, $5 from webhooks
         where tenant_id = $1 and status = 'enabled' and $3 = any (types) and created_at <= $6
         on conflict do nothing returning id`,
        [tenant, event.id.replaceAll('-', ''), event.type, body, now, Date.parse(event.time) + CLOCKS_APART_MS],
      );
      if (rows.length === 0) return;
      await this.work.leaveTenant(sql);
      for (const { id } of rows) await schedule(sql, tenant, id, now);
    });
  }
}

export const schedule = (sql: Sql, tenant: TenantId, id: string, at: number) =>
  sql.query('insert into due_deliveries (tenant_id, delivery_id, due_at) values ($1, $2, $3) on conflict (tenant_id, delivery_id) do update set due_at = excluded.due_at', [tenant, id, at]);

const webhook = ({ id, url, types, status, created_at }: WebhookRow): Webhook => ({ id, url, types, status, createdAt: rfc3339(created_at) });

const when = (ms: number | null): string | null => (ms === null ? null : rfc3339(ms));

const delivery = (row: DeliveryRow): Delivery => ({
  id: row.id,
  webhookId: row.webhook_id,
  messageId: row.message_id,
  type: row.type,
  status: row.status,
  attempts: row.attempts,
  lastStatus: row.last_status,
  lastError: row.last_error,
  createdAt: rfc3339(row.created_at),
  attemptedAt: when(row.attempted_at),
  nextAt: when(row.next_at),
});

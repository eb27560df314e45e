import { sleep, type Clock, type TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { Agent, type Dispatcher } from 'undici';
import { publicLookup } from './addresses';
import type { WebhookSigner } from './signature';
import { schedule } from './webhooks';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** What Standard Webhooks recommends: some three days in all. */
export const RETRY_AFTER_MS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

const ANSWER_WITHIN_MS = 15_000;
/** A sender that died is taken for dead after this. */
const LEASE_MS = MINUTE;
const AT_ONCE = 20;

interface Due {
  readonly tenant_id: TenantId;
  readonly delivery_id: string;
}

interface Message {
  readonly webhook_id: string;
  readonly message_id: string;
  readonly body: string;
  readonly attempts: number;
  readonly url: string;
  readonly rotation: number;
  readonly overlap_until: number;
}

interface Outcome {
  readonly status: number | null;
  readonly error: string | null;
}

export interface SenderOptions {
  readonly privateToo: boolean;
  readonly everyMs: number;
  readonly retryAfterMs?: readonly number[];
  readonly onError: (error: unknown) => void;
}

/** Sends what is due, wherever it is due, and tries again by the schedule. Several may run: each delivery is leased to one. */
export class WebhookSender {
  private readonly agent: Agent;
  private readonly retryAfterMs: readonly number[];

  constructor(
    private readonly work: UnitOfWork,
    private readonly signer: WebhookSigner,
    private readonly clock: Clock,
    private readonly options: SenderOptions,
  ) {
    this.agent = new Agent({ connect: { timeout: 5_000, ...(options.privateToo ? {} : { lookup: publicLookup }) }, headersTimeout: ANSWER_WITHIN_MS, bodyTimeout: ANSWER_WITHIN_MS, maxResponseSize: 65_536 });
    this.retryAfterMs = options.retryAfterMs ?? RETRY_AFTER_MS;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const sent = await this.sendDue().catch((error: unknown) => (this.options.onError(error), 0));
      if (sent < AT_ONCE) await sleep(this.options.everyMs, signal);
    }
    await this.agent.close();
  }

  /** @returns how many were due */
  async sendDue(): Promise<number> {
    const due = (await this.work.inEveryControl((sql) => this.lease(sql), this.options.onError)).flat();
    const outcomes = await Promise.allSettled(due.map((each) => this.send(each)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') this.options.onError(outcome.reason);
    return due.length;
  }

  private async lease(sql: Sql): Promise<Due[]> {
    const now = this.clock();
    const { rows } = await sql.query<Due & Record<string, unknown>>(
      `update due_deliveries set due_at = $2 where (tenant_id, delivery_id) in
         (select tenant_id, delivery_id from due_deliveries where due_at <= $1 order by due_at limit ${AT_ONCE} for update skip locked)
       returning tenant_id, delivery_id`,
      [now, now + LEASE_MS],
    );
    return rows;
  }

  private async send({ tenant_id: tenant, delivery_id: id }: Due): Promise<void> {
    const message = await this.read(tenant, id);
    const outcome = message === undefined ? undefined : await this.post(message);
    await this.work.inTenant(tenant, async (sql) => {
      const again = message === undefined || outcome === undefined ? undefined : await this.note(sql, tenant, id, message, outcome);
      await this.work.leaveTenant(sql);
      if (again === undefined) await sql.query('delete from due_deliveries where tenant_id = $1 and delivery_id = $2', [tenant, id]);
      else await schedule(sql, tenant, id, again);
    });
  }

  /** Nothing when its webhook is gone or switched off. */
  private async read(tenant: TenantId, id: string): Promise<Message | undefined> {
    const { rows } = await this.work.inTenant(tenant, (sql) =>
      sql.query<Message & Record<string, unknown>>(
        `select d.webhook_id, d.message_id, d.body, d.attempts, w.url, w.rotation, w.overlap_until::float8 as overlap_until
         from webhook_deliveries d join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
         where d.tenant_id = $1 and d.id = $2 and d.status = 'pending' and w.status = 'enabled'`,
        [tenant, id],
      ),
    );
    return rows[0];
  }

  private async post({ webhook_id, message_id, body, url, rotation, overlap_until }: Message): Promise<Outcome> {
    const now = this.clock();
    const rotations = rotation > 0 && now < overlap_until ? [rotation, rotation - 1] : [rotation];
    const headers = { 'content-type': 'application/json', 'user-agent': 'weir-webhooks', ...this.signer.headers(webhook_id, rotations, { id: message_id, body, at: now }) };
    const { origin, pathname, search } = new URL(url);
    const request: Dispatcher.RequestOptions = { origin, path: pathname + search, method: 'POST', headers, body };
    try {
      const answer = await this.agent.request(request);
      await answer.body.dump();
      return { status: answer.statusCode, error: null };
    } catch (error) {
      return { status: null, error: (error as Error).message.slice(0, 300) };
    }
  }

  /** @returns when to try again, ms; undefined when it is over */
  private async note(sql: Sql, tenant: TenantId, id: string, { webhook_id, attempts }: Message, { status, error }: Outcome): Promise<number | undefined> {
    const now = this.clock();
    const delivered = status !== null && status >= 200 && status < 300;
    const gone = status === 410;
    const wait = this.retryAfterMs[attempts];
    const next = delivered || gone || wait === undefined ? null : now + wait * (0.9 + Math.random() * 0.2);
    await sql.query(
      `update webhook_deliveries set status = $3, attempts = attempts + 1, last_status = $4, last_error = $5, attempted_at = $6, next_at = $7 where tenant_id = $1 and id = $2`,
      [tenant, id, delivered ? 'delivered' : next === null ? 'failed' : 'pending', status, error, now, next === null ? null : Math.round(next)],
    );
    if (gone) await sql.query(`update webhooks set status = 'disabled' where tenant_id = $1 and id = $2`, [tenant, webhook_id]);
    return next === null ? undefined : Math.round(next);
  }
}

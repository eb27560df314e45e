import { ask, eventually, type Answer, type Ask, type Asking } from './http';

export interface Running {
  readonly url: string;
  readonly simulatorUrl: string;
  readonly operatorToken: string;
}

interface Tenant {
  readonly id: string;
  readonly token: string;
  /** ms from POST /tenants to the first answered call. */
  firstCallMs?: number;
}

const PLATFORM_SECRET = 'tl_platform_5f1c9e2ab7d84c60';
const BYO_SECRET = 'tl_byo_91d2c3b4a5f6e7d8';
const HYBRID_SECRET = 'tl_hybrid_0a1b2c3d4e5f6071';

/**
 * The main job, end to end, as a stranger meets it: HTTP alone, no knowledge of what runs behind it. Its steps build on each other
 * and run in order.
 */
export class Journey {
  readonly tenants: { shared?: Tenant; byo?: Tenant; hybrid?: Tenant; elsewhere?: Tenant; [spare: `spare${number}`]: Tenant } = {};
  /** Upstream secrets, by the id that Weir gave the key. */
  readonly secrets = new Map<string, string>();

  /** @param asking how Weir is asked; the upstream is always asked straight */
  constructor(
    public running: Running,
    private readonly asking: Asking = ask,
  ) {}

  anyone(method: string, path: string, options: Ask = {}): Promise<Answer> {
    return this.asking(this.running.url, method, path, options);
  }

  operator(method: string, path: string, options: Omit<Ask, 'token'> = {}): Promise<Answer> {
    return this.anyone(method, path, { ...options, token: this.running.operatorToken });
  }

  as(tenant: Tenant, method: string, path: string, options: Omit<Ask, 'token'> = {}): Promise<Answer> {
    return this.anyone(method, path, { ...options, token: tenant.token });
  }

  call(tenant: Tenant, username: string, options: Omit<Ask, 'token'> = {}): Promise<Answer> {
    return this.as(tenant, 'GET', `/tiklive/userinfo-by-username/?username=${username}`, options);
  }

  of(mode: keyof Journey['tenants']): Tenant {
    const tenant = this.tenants[mode];
    if (tenant === undefined) throw new Error(`the ${mode} tenant has not been made: an earlier step failed`);
    return tenant;
  }

  async fillSimulator(): Promise<void> {
    for (const key of [PLATFORM_SECRET, BYO_SECRET, HYBRID_SECRET]) {
      const { status } = await ask(this.running.simulatorUrl, 'POST', '/_simulator/keys', { body: { key, credits: 100_000, perMinute: 6_000, burst: 500, scopes: ['download'] } });
      expect([201, 409]).toContain(status);
    }
  }

  async registerPlatformKey(): Promise<void> {
    const { status, body, text } = await this.operator('POST', '/v1/upstream-keys', { body: { key: PLATFORM_SECRET, label: 'platform' } });
    expect({ status, state: body?.state, active: body?.activeVersion }).toEqual({ status: 201, state: 'usable', active: 1 });
    expect(text).not.toContain(PLATFORM_SECRET);
    this.secrets.set(body.id, PLATFORM_SECRET);
  }

  async registerOwnKey(mode: 'byo' | 'hybrid'): Promise<void> {
    const tenant = this.of(mode);
    const secret = mode === 'byo' ? BYO_SECRET : HYBRID_SECRET;
    const { status, body, text } = await this.as(tenant, 'POST', `/v1/tenants/${tenant.id}/upstream-keys`, { body: { key: secret, label: 'ours' } });
    expect({ status, state: body?.state, last4: body?.last4 }).toEqual({ status: 201, state: 'usable', last4: secret.slice(-4) });
    expect(body.lastCheck.checks.map(({ result }: { result: string }) => result)).toContain('passed');
    expect(text).not.toContain(secret);
    this.secrets.set(body.id, secret);
  }

  /**
   * From the request to a token, and, where the tenant can call already, to its first answer.
   *
   * @param cluster a database of its name is where the tenant lives
   */
  async createTenant(keyMode: 'shared' | 'byo' | 'hybrid', plan: string, { as: name = keyMode, cluster }: { as?: keyof Journey['tenants']; cluster?: string } = {}): Promise<Tenant> {
    const started = performance.now();
    const place = cluster === undefined ? {} : { placement: 'database', cluster };
    const made = await this.operator('POST', '/v1/tenants', { body: { slug: `journey-${name}`, keyMode, plan, ...place }, headers: { prefer: 'wait=10', 'idempotency-key': `journey-${name}` } });
    expect({ status: made.status, operation: made.body?.status }).toEqual({ status: 202, operation: 'succeeded' });
    const id: string = made.body.tenant.id;
    const token = await this.operator('POST', `/v1/tenants/${id}/tokens`, { body: { role: 'owner', label: 'journey' } });
    expect(token.status).toBe(201);
    const tenant: Tenant = { id, token: token.body.token };
    this.tenants[name] = tenant;
    if (keyMode !== 'byo') {
      await eventually(async () => expect((await this.call(tenant, `first.of.${name}`)).status).toBe(200), 10_000);
      tenant.firstCallMs = performance.now() - started;
    }
    return tenant;
  }

  /** Every attempt that the upstream charged, per key. */
  async upstreamLedger(): Promise<Map<string, number>> {
    const sums = new Map<string, number>();
    for (let after = 0; ; ) {
      const { body } = await ask(this.running.simulatorUrl, 'GET', `/_simulator/ledger?after=${after}`);
      for (const { key, credits } of body.data) sums.set(key, (sums.get(key) ?? 0) + credits);
      const last = body.data.at(-1);
      if (last === undefined) return sums;
      after = last.seq;
    }
  }

  /** Per key, upstream's ledger = settled + unsettled; per tenant, charged = usage = quota = quantity on the invoice. */
  async bothEquationsHold(): Promise<void> {
    const ledger = await this.upstreamLedger();
    const usage = await this.operator('GET', '/v1/usage?groupBy=key&mode=all');
    expect(usage.status).toBe(200);
    const counted = new Map<string, number>(usage.body.data.map((row: { keyId: string | null; upstreamCredits: number; unsettledCredits: number }) => [row.keyId, row.upstreamCredits + row.unsettledCredits]));
    for (const [keyId, secret] of this.secrets) expect({ keyId, credits: counted.get(keyId) ?? 0 }).toEqual({ keyId, credits: ledger.get(secret) ?? 0 });

    const perTenant = await this.operator('GET', '/v1/usage?groupBy=tenant&mode=live');
    const charged = new Map<string, number>(perTenant.body.data.map((row: { tenantId: string; chargedCredits: number }) => [row.tenantId, row.chargedCredits]));
    for (const tenant of Object.values(this.tenants)) {
      const own = await this.as(tenant, 'GET', `/v1/tenants/${tenant.id}/usage?groupBy=endpoint`);
      const quota = await this.as(tenant, 'GET', `/v1/tenants/${tenant.id}/quota`);
      const preview = await this.as(tenant, 'GET', `/v1/tenants/${tenant.id}/invoices/preview`);
      const quantity = preview.body.lines
        .filter(({ item }: { item: string }) => item.startsWith('credits'))
        .reduce((sum: number, line: { quantity: string }) => sum + Number(line.quantity), 0);
      expect({ rollup: own.body.totals.chargedCredits, quota: quota.body.month.usedCredits, invoice: quantity }).toEqual({
        rollup: charged.get(tenant.id) ?? 0,
        quota: charged.get(tenant.id) ?? 0,
        invoice: charged.get(tenant.id) ?? 0,
      });
    }
  }
}

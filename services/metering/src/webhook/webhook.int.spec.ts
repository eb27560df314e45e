import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { toRecord } from '@weir/bus';
import { eventsTopic, stateTopic, type BudgetState } from '@weir/contracts';
import { PLATFORM, newUuid, type TenantId } from '@weir/kernel';
import { eventually } from '@weir/testing';
import type { BudgetView } from '../budget/budget.service';
import { startMetering, type MeteringService } from '../testing/metering-service';
import { planTermsOf } from '../testing/plans';
import { settled } from '../testing/samples';
import { batchOf, recordUsage } from '../usage/record-usage';
import { RETRY_AFTER_MS, WebhookSender } from './sender';
import { WebhookSigner } from './signature';
import type { Delivery, Webhook } from './webhooks';

const PRO = planTermsOf();
const KEY = '07'.repeat(32);

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let metering: MeteringService;
let receiver: Server;
let origin: string;
const received: Received[] = [];
/** What the receiver answers on a path, one after the other; 204 when there is nothing left. */
const answers = new Map<string, number[]>();

beforeAll(async () => {
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      received.push({ path, headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(answers.get(path)?.shift() ?? 204, { location: '/elsewhere' }).end();
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  metering = await startMetering({ WEIR_WEBHOOK_ADDRESSES: 'any', WEIR_WEBHOOK_KEY: KEY, WEIR_WEBHOOKS_EVERY_MS: '20' });
}, 60_000);
afterAll(async () => {
  await metering.stop();
  await new Promise((resolve) => receiver.close(resolve));
});

const call = <T>(method: string, tenant: TenantId, path: string, body?: unknown) => metering.call<T>(method, `/v1/tenants/${tenant}${path}`, metering.operator, { body });
const to = (path: string) => received.filter((each) => each.path === path);
const deliveries = async (tenant: TenantId) => (await call<{ data: Delivery[] }>('GET', tenant, '/webhooks/deliveries')).body.data;

async function tenantWith(path: string): Promise<{ tenant: TenantId; webhook: Webhook & { secret: string } }> {
  const tenant = await metering.tenantOn(PRO);
  const made = await call<Webhook & { secret: string }>('POST', tenant, '/webhooks', { url: origin + path });
  expect(made.status).toBe(201);
  return { tenant, webhook: made.body };
}

const spend = (tenant: TenantId, credits: number) => metering.publish(settled({ tenantId: tenant, chargedCredits: credits, upstreamCredits: credits }));
const budget = (tenant: TenantId, more: object = {}) => call<BudgetView>('PUT', tenant, '/budgets', { name: 'all', limitCredits: 100, forecast: false, ...more });

function signedBy(secret: string, { headers, body }: Received): boolean {
  const expected = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64')).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
  return String(headers['webhook-signature']).split(' ').includes(`v1,${expected}`);
}

describe('budgets', () => {
  it('say on the state topic what is used of them, as soon as it is counted and as soon as they are set', async () => {
    const said = new Map<string, BudgetState>();
    const following = await metering.bus.follow({ topics: [stateTopic('budget')], apply: ({ key, value }) => void said.set(key, JSON.parse(value?.toString('utf8') ?? 'null')) });
    const tenant = await metering.tenantOn(PRO);
    await spend(tenant, 30);
    await eventually(async () => {
      const set = await budget(tenant, { hard: true });
      expect(set.body).toMatchObject({ name: 'all', period: 'month', hard: true, usedCredits: 30, remainingCredits: 70 });
    });
    await eventually(() => expect(said.get(tenant)?.budgets).toMatchObject([{ limitCredits: 100, usedCredits: 30, hard: true, projectId: null }]));
    await spend(tenant, 80);
    await eventually(() => expect(said.get(tenant)?.budgets).toMatchObject([{ usedCredits: 110 }]));
    expect((await call('DELETE', tenant, '/budgets/all')).status).toBe(204);
    await eventually(() => expect(said.get(tenant)?.budgets).toEqual([]));
    expect((await call('DELETE', tenant, '/budgets/all')).status).toBe(404);
    await following.stop();
  });

  it('that are set while usage is being counted are said with what was counted', async () => {
    const tenant = await metering.tenantOn(PRO);
    const { work } = metering.database;
    const there = async () => (await work.inTenant(tenant, (sql) => sql.query('select from budgets where tenant_id = $1', [tenant]))).rows.length;
    const setting = await work.inTenant(tenant, async (sql) => {
      await recordUsage(sql, tenant, batchOf([settled({ tenantId: tenant, chargedCredits: 30 })], Date.now()));
      // it has looked for budgets, and found none
      const answered = budget(tenant);
      await eventually(async () => expect(await there()).toBe(1));
      return { answered };
    });
    expect((await setting.answered).body).toMatchObject({ usedCredits: 30 });
    const { rows } = await work.inTenant(tenant, (sql) => sql.query<{ body: string }>('select body from published_states where topic = $1', [stateTopic('budget')]));
    expect(JSON.parse(rows[0]?.body ?? 'null')).toMatchObject({ budgets: [{ usedCredits: 30 }] });
  });

  it('of a project count that project’s credits alone', async () => {
    const tenant = await metering.tenantOn(PRO);
    await budget(tenant, { name: 'crawler', projectId: 'prj_crawler' });
    await metering.publish(settled({ tenantId: tenant, projectId: 'prj_crawler', chargedCredits: 3 }), settled({ tenantId: tenant, projectId: 'prj_other', chargedCredits: 40 }));
    await eventually(async () => expect((await call<{ data: BudgetView[] }>('GET', tenant, '/budgets')).body.data).toMatchObject([{ name: 'crawler', usedCredits: 3 }]));
  });

  it.each([
    ['a name in capitals', { name: 'ALL' }],
    ['a limit below zero', { limitCredits: -1 }],
    ['a threshold of two kinds', { thresholds: [{ percent: 5, credits: 5 }] }],
    ['a field that is none of theirs', { plan: 'free' }],
  ])('G3 with %s are refused', async (_, more) => {
    const tenant = await metering.tenantOn(PRO);
    expect(await budget(tenant, more)).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
  });
});

describe('webhooks', () => {
  it('are told of each threshold once, signed so that the receiver can tell, the secret given once', async () => {
    const { tenant, webhook } = await tenantWith('/thresholds');
    await budget(tenant);
    await spend(tenant, 60);
    await eventually(() => expect(to('/thresholds')).toHaveLength(1));
    await spend(tenant, 25);
    await eventually(() => expect(to('/thresholds')).toHaveLength(2));
    await spend(tenant, 1);
    await eventually(async () => expect((await deliveries(tenant)).map(({ status }) => status)).toEqual(['delivered', 'delivered']));

    const [first, second] = to('/thresholds') as [Received, Received];
    expect(signedBy(webhook.secret, first)).toBe(true);
    expect(first.headers['webhook-id']).not.toBe(second.headers['webhook-id']);
    expect(Math.abs(Number(first.headers['webhook-timestamp']) - Date.now() / 1_000)).toBeLessThan(60);
    expect(JSON.parse(first.body)).toMatchObject({ type: 'budget.threshold-crossed', data: { name: 'all', limitCredits: 100, usedCredits: 60, threshold: { percent: 50 } } });
    expect(JSON.parse(second.body)).toMatchObject({ data: { usedCredits: 85, threshold: { percent: 80 } } });
    const listed = await call<{ data: object[] }>('GET', tenant, '/webhooks');
    expect(JSON.stringify(listed.body)).not.toContain('whsec_');
    expect(to('/thresholds')).toHaveLength(2);
  });

  it('F1 give notice of an own key that became invalid, once for each event, and never of another tenant, of the platform, or of what was before they were there', async () => {
    const [{ tenant }, { tenant: neighbour }] = [await tenantWith('/keys'), await tenantWith('/keys-of-a-neighbour')];
    const changed = (owner: TenantId, keyId: string, at = Date.now()) =>
      toRecord({
        id: newUuid(), type: 'upstream-key.status-changed', source: '/weir/key-vault', subject: `upstream-key/${keyId}`, time: new Date(at).toISOString(),
        topic: eventsTopic('upstream-key'), key: `${owner}/upstream-key/${keyId}`, data: Buffer.from(JSON.stringify({ keyId, status: 'invalid', because: 'unauthorized' })),
        tenantId: owner, schemaVersion: 1, position: 1, streamVersion: 1, actor: 'service:key-vault', causationId: null, correlationId: null, chainHash: undefined,
      });
    const own = changed(tenant, 'key_own');
    await metering.bus.publish([changed(PLATFORM, 'key_platform'), changed(tenant, 'key_long_ago', Date.now() - 3_600_000), own, own, changed(neighbour, 'key_neighbour')]);
    await eventually(() => expect(to('/keys-of-a-neighbour')).toHaveLength(1));
    await eventually(async () => expect((await deliveries(tenant)).map(({ status }) => status)).toEqual(['delivered']));
    expect(to('/keys').map(({ body }) => JSON.parse(body))).toMatchObject([{ type: 'upstream-key.status-changed', data: { keyId: 'key_own', status: 'invalid', because: 'unauthorized' } }]);
  });

  it('are tried again under the same id by the schedule, replayed on demand, and follow no redirection', async () => {
    const { tenant } = await tenantWith('/flaky');
    answers.set('/flaky', [302]);
    await budget(tenant);
    await spend(tenant, 50);
    const [waiting] = await eventually(async () => {
      const rows = await deliveries(tenant);
      expect(rows).toMatchObject([{ status: 'pending', attempts: 1, lastStatus: 302 }]);
      return rows;
    });
    const wait = Date.parse(waiting?.nextAt ?? '') - Date.parse(waiting?.attemptedAt ?? '');
    expect(wait / (RETRY_AFTER_MS[0] as number)).toBeGreaterThan(0.85);
    expect(wait / (RETRY_AFTER_MS[0] as number)).toBeLessThan(1.15);
    expect(to('/elsewhere')).toEqual([]);

    expect((await call('POST', tenant, `/webhooks/deliveries/${waiting?.id}/replay`)).status).toBe(202);
    await eventually(async () => expect(await deliveries(tenant)).toMatchObject([{ status: 'delivered', lastStatus: 204, nextAt: null }]));
    expect(new Set(to('/flaky').map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('are given up after the last attempt, until they are replayed, and switched off by 410 Gone', async () => {
    const quiet = await startMetering({ WEIR_ROLES: 'http', WEIR_WEBHOOK_ADDRESSES: 'any', WEIR_WEBHOOK_KEY: KEY });
    const { work } = quiet.database;
    const sender = new WebhookSender(work, new WebhookSigner(Buffer.from(KEY, 'hex')), Date.now, { privateToo: true, everyMs: 20, retryAfterMs: [1, 1], onError: () => undefined });
    const tenant = await quiet.tenantOn(PRO);
    const as = <T>(method: string, path: string, body?: unknown) => quiet.call<T>(method, `/v1/tenants/${tenant}${path}`, quiet.operator, { body });
    const last = async () => (await as<{ data: Delivery[] }>('GET', '/webhooks/deliveries')).body.data[0];
    await as('POST', '/webhooks', { url: `${origin}/broken` });
    await as('PUT', '/budgets', { name: 'all', limitCredits: 100, forecast: false });
    answers.set('/broken', [500, 503, 500, 410]);
    await quiet.publish(settled({ tenantId: tenant, chargedCredits: 50, upstreamCredits: 50 }));
    await eventually(async () => {
      await sender.sendDue();
      expect(await last()).toMatchObject({ status: 'failed', attempts: 3, lastStatus: 500, nextAt: null });
    });
    expect(await sender.sendDue()).toBe(0);
    expect(to('/broken')).toHaveLength(3);

    expect((await as('POST', `/webhooks/deliveries/${(await last())?.id}/replay`)).status).toBe(202);
    await sender.sendDue();
    expect(await last()).toMatchObject({ status: 'failed', attempts: 1, lastStatus: 410 });
    expect((await as<{ data: Webhook[] }>('GET', '/webhooks')).body.data).toMatchObject([{ status: 'disabled' }]);
    await quiet.stop();
  });

  it('are signed with both secrets while one is rotated', async () => {
    const { tenant, webhook } = await tenantWith('/rotated');
    const { body: rotated } = await call<{ secret: string }>('POST', tenant, `/webhooks/${webhook.id}/rotate-secret`);
    expect(rotated.secret).not.toBe(webhook.secret);
    await budget(tenant);
    await spend(tenant, 50);
    const [one] = await eventually(() => {
      expect(to('/rotated')).toHaveLength(1);
      return to('/rotated');
    });
    expect([signedBy(webhook.secret, one as Received), signedBy(rotated.secret, one as Received)]).toEqual([true, true]);
  });

  it('go to https addresses of the public internet alone, unless an installation says otherwise', async () => {
    const strict = await startMetering();
    const tenant = await strict.tenantOn(PRO);
    const post = (url: string) => strict.call('POST', `/v1/tenants/${tenant}/webhooks`, strict.operator, { body: { url } });
    for (const url of [origin, 'https://127.0.0.1/', 'https://169.254.169.254/', 'http://example.com/']) expect((await post(url)).status).toBe(400);
    expect((await post('https://hooks.example.com/weir')).status).toBe(201);
    await strict.stop();
  });
});

import { toRecord, type CloudEvent } from '@weir/bus';
import { eventsTopic, stateTopic, USAGE_TOPIC } from '@weir/contracts';
import { newId, newUuid, rfc3339, utcDay, utcMonth, type TenantId } from '@weir/kernel';
import { eventually } from '@weir/testing';
import type { BillingView } from './billing/billing.service';
import type { InvoicePreview } from './invoice/invoice.service';
import type { QuotaView } from './quota/quota.service';
import { startMetering, type MeteringService } from './testing/metering-service';
import { planTermsOf } from './testing/plans';
import { held, served, settled } from './testing/samples';
import type { CallView } from './usage/call';
import type { UsageReport } from './usage/usage.service';

let metering: MeteringService;
let tenant: TenantId;
let owner: string;
let member: string;
let auditor: string;

const eur = (amount: string) => ({ amount, currency: 'EUR' });
const PRO = planTermsOf({
  includedCalls: 3,
  billing: { model: 'seat-plus-overage', perCredit: eur('0.004'), perSeat: eur('29'), perMonth: eur('0') },
});

beforeAll(async () => {
  metering = await startMetering({ WEIR_UNSETTLED_AFTER_MS: '1', WEIR_UNSETTLED_EVERY_MS: '20', WEIR_RECONCILE_EVERY_MS: '50', WEIR_RECONCILE_AFTER_MS: '1000' });
  tenant = await metering.tenantOn(PRO);
  [owner, member, auditor] = (await Promise.all([
    metering.tokenOf(tenant, 'owner'),
    metering.tokenOf(tenant, 'member'),
    metering.tokenOf(tenant, 'auditor'),
  ])) as [string, string, string];
  await eventually(async () => expect((await get(`/v1/tenants/${tenant}/quota`)).status).toBe(200));
}, 60_000);
afterAll(() => metering.stop());

const get = <T>(path: string, token = owner) => metering.call<T>('GET', path, token);
const chargedOf = async (id: TenantId, token = metering.operator) =>
  (await get<UsageReport>(`/v1/tenants/${id}/usage`, token)).body.totals.chargedCredits;

/** An event of a tenant's own log, as the relay publishes it. */
const publishEvent = (tenantId: TenantId, type: string, data: unknown) =>
  metering.bus.publish([
    toRecord({
      ...EVENT,
      id: newUuid(),
      type,
      tenantId,
      key: `${tenantId}/tenant/${tenantId}`,
      data: Buffer.from(JSON.stringify(data)),
    }),
  ]);
const EVENT: Omit<CloudEvent, 'id' | 'type' | 'tenantId' | 'data' | 'key'> = {
  source: '/weir',
  subject: 'tenant',
  time: rfc3339(0),
  topic: eventsTopic('tenant'),
  schemaVersion: 1,
  position: 1,
  streamVersion: 1,
  actor: 'operator:spec',
  causationId: null,
  correlationId: null,
};

describe('metering as a service', () => {
  it('counts what the bus brings, in usage, quota and preview alike', async () => {
    const own = await metering.tenantOn(PRO);
    await metering.publish(
      settled({ tenantId: own }),
      served({ tenantId: own, cache: 'coalesced' }),
      settled({ tenantId: own, chargedCredits: 4 }),
    );
    await eventually(async () => expect(await chargedOf(own)).toBe(7));

    const { body: quota } = await get<QuotaView>(`/v1/tenants/${own}/quota`, metering.operator);
    expect(quota.day).toMatchObject({
      period: utcDay(Date.now()),
      usedCredits: 7,
      limitCredits: 5_000,
      remainingCredits: 4_993,
      source: 'plan',
    });
    expect(quota.month).toMatchObject({
      period: utcMonth(Date.now()),
      usedCredits: 7,
      limitCredits: null,
      remainingCredits: null,
    });
    const { body: preview } = await get<InvoicePreview>(`/v1/tenants/${own}/invoices/preview`, metering.operator);
    expect(preview).toMatchObject({ status: 'preview', model: 'seat-plus-overage', chargedCredits: 7, total: eur('0.02') });
    expect(preview.lines).toMatchObject([
      { item: 'seats', quantity: '0' },
      { item: 'credits-included', quantity: '3', amount: eur('0.00') },
      { item: 'credits', quantity: '4', unitPrice: eur('0.004'), amount: eur('0.02') },
    ]);
  });

  it('says a tenant’s quota on the state topic from its registration on, and after its usage', async () => {
    const said = new Map<string, unknown>();
    const following = await metering.bus.follow({
      topics: [stateTopic('quota')],
      apply: ({ key, value }) => void said.set(key, JSON.parse(value?.toString('utf8') ?? 'null')),
    });
    const registered = await metering.tenantOn(PRO);
    await publishEvent(registered, 'tenant.registered', { plan: { id: `plan-of-${registered}`, version: 1 } });
    const [day, month] = [utcDay(Date.now()), utcMonth(Date.now())];
    await eventually(() =>
      expect(said.get(registered)).toEqual({ tenantId: registered, day, dayCredits: 0, month, monthCredits: 0 }),
    );
    await metering.publish(settled({ tenantId: registered }));
    await eventually(() => expect(said.get(registered)).toMatchObject({ dayCredits: 2, monthCredits: 2 }));
    await following.stop();
  });

  it('a seat counts from member.added to member.removed, however often and in whatever order these come', async () => {
    const own = await metering.tenantOn(PRO);
    const [first, second] = [newId('mem'), newId('mem')];
    await publishEvent(own, 'member.removed', { memberId: second });
    for (const memberId of [first, first, second]) await publishEvent(own, 'member.added', { memberId, role: 'member' });
    await eventually(async () => {
      const { body } = await get<InvoicePreview>(`/v1/tenants/${own}/invoices/preview`, metering.operator);
      expect(body).toMatchObject({ seats: 1, total: eur('29.00') });
    });
  });

  it('parks usage of a tenant that is not there, and what cannot be read, and goes on with the rest', async () => {
    const own = await metering.tenantOn(PRO);
    await metering.bus.publish([{ topic: USAGE_TOPIC, key: 'nobody/req', value: Buffer.from('not json'), headers: {} }]);
    await metering.publish(settled({ tenantId: newId('ten') }), settled({ tenantId: own }));
    await eventually(async () => expect(await chargedOf(own)).toBe(2));
    await eventually(async () => {
      const { rows } = await metering.database.work.direct.query<{ error_code: string }>(
        `select error_code from weir.parked_messages where service = 'metering' order by error_code`,
      );
      expect(rows.map((row) => row.error_code)).toEqual(['malformed-usage', 'not-found']);
    });
  });

  it('explains a call: its attempts, what each took and what was paid', async () => {
    const requestId = newId('req');
    const call = { tenantId: tenant, requestId };
    await metering.publish(
      held({ ...call, attempt: 1 }),
      settled({ ...call, attempt: 1, upstreamStatus: 500, chargedCredits: 0, difference: 'absorbed' }),
      held({ ...call, attempt: 2 }),
      settled({ ...call, attempt: 2 }),
    );
    const { body } = await eventually(async () => {
      const answer = await get<CallView>(`/v1/tenants/${tenant}/calls/${requestId}`, member);
      expect(answer.body.attempts?.map(({ state }) => state)).toEqual(['settled', 'settled']);
      return answer;
    });
    expect(body).toMatchObject({
      requestId,
      key: 'platform',
      cache: 'miss',
      upstreamCredits: 4,
      chargedCredits: 2,
      unsettledCredits: 0,
    });
    expect(body.attempts).toMatchObject([
      {
        attempt: 1,
        heldCredits: 2,
        upstreamStatus: 500,
        chargedCredits: 0,
        why: 'the upstream took 2 credits for an answer that was of no use; you pay 0.',
      },
      { attempt: 2, chargedCredits: 2, keyId: 'key_platform' },
    ]);
  });

  it('its job turns an overdue hold into unsettled credits of the key, and a late settlement replaces them', async () => {
    const own = await metering.tenantOn(PRO);
    const hold = held({ tenantId: own, keyId: 'key_forgotten', upstreamCredits: 9 });
    const ofKey = async () => {
      const { body } = await get<UsageReport>('/v1/usage?groupBy=key', metering.operator);
      return body.data.find((row) => row['keyId'] === 'key_forgotten');
    };
    await metering.publish(hold);
    await eventually(async () =>
      expect(await ofKey()).toMatchObject({ upstreamCredits: 0, unsettledCredits: 9, chargedCredits: 0 }),
    );
    await metering.publish(
      settled({ tenantId: own, requestId: hold.requestId, keyId: 'key_forgotten', upstreamCredits: 8, chargedCredits: 8 }),
    );
    await eventually(async () =>
      expect(await ofKey()).toMatchObject({ upstreamCredits: 8, unsettledCredits: 0, chargedCredits: 8 }),
    );
  });

  it('compares sums with records when an operator asks, makes them anew, and has that on the record', async () => {
    const own = await metering.tenantOn(PRO);
    await metering.publish(settled({ tenantId: own }));
    await eventually(async () => expect(await chargedOf(own)).toBe(2));
    const post = (path: string, token = metering.operator) => metering.call<{ rows: number; from: string }>('POST', `/v1/tenants/${own}/usage/${path}`, token);
    expect(await post('check')).toMatchObject({ status: 200, body: { rows: 0 } });
    await metering.database.work.inTenant(own, (sql) => sql.query('update usage_daily set charged_credits = 7'));
    expect((await post('check')).body.rows).toBe(4);
    expect((await post('rebuild')).body.rows).toBe(4);
    expect(await post('check')).toMatchObject({ body: { rows: 0 } });
    expect(await chargedOf(own)).toBe(2);
    const { rows } = await metering.database.work.inTenant(own, (sql) => sql.query<{ type: string; actor_type: string; actor_id: string; action: string }>('select type, actor_type, actor_id, action from events order by position'));
    // who ordered it, and not who did it
    expect(rows).toEqual([
      { type: 'usage.drift-found', actor_type: 'operator', actor_id: expect.any(String), action: 'POST /v1/tenants/:t/usage/check' },
      { type: 'usage.rebuilt', actor_type: 'operator', actor_id: expect.any(String), action: 'POST /v1/tenants/:t/usage/rebuild' },
    ]);
    expect((await post('rebuild', owner)).status).toBe(404);
    expect((await metering.call('POST', `/v1/tenants/${tenant}/usage/rebuild`, owner)).status).toBe(403);
  });

  it('takes statements of the upstream and shows what they were compared with', async () => {
    const own = await metering.tenantOn(PRO);
    const keyId = newId('key');
    const paid = settled({ tenantId: own, keyId, at: Date.now() - 3_600_000, eventId: newUuid(Date.now() - 3_600_000) });
    await metering.publish(paid);
    await eventually(async () => expect(await chargedOf(own)).toBe(2));
    const time = (ms: number) => new Date(Date.now() + ms).toISOString();
    const statement = { source: 'spec', keyId, covers: { from: time(-7_200_000), to: time(0) }, lines: [{ line: 1, at: time(-3_600_000), credits: 5, requestId: `${paid.requestId}/1`, status: 200 }] };
    const put = (body: unknown, token = metering.operator) => metering.call('POST', '/v1/reconciliations/statements', token, { body });
    expect(await put(statement)).toMatchObject({ status: 202, body: { source: 'spec', lines: 1 } });
    const list = () => get<{ data: { id: string; source: string; differences: Record<string, unknown> }[]; openDifferences: number }>('/v1/reconciliations', metering.operator);
    const found = await eventually(async () => {
      const compared = (await list()).body.data.find(({ source, differences }) => source === 'spec' && 'credits-differ' in differences);
      expect(compared).toBeDefined();
      return compared;
    }, 20_000);
    const { body } = await get(`/v1/reconciliations/${found?.id}`, metering.operator);
    expect(body).toMatchObject({ upstreamCredits: 5, settledCredits: 2, discrepancies: [{ class: 'credits-differ', tenantId: own, requestId: paid.requestId, keyId, decision: null }] });
    expect((await list()).body.openDifferences).toBeGreaterThan(0);
    expect((await put({ ...statement, keyId: newId('key') })).status).toBe(409);
    expect((await put({ ...statement, tenant_id: own })).status).toBe(400);
    expect([(await put(statement, owner)).status, (await get('/v1/reconciliations', owner)).status, (await get('/v1/reconciliations/nonsense', metering.operator)).status]).toEqual([403, 403, 404]);
  });

  it('parks usage of before the months whose records are kept: it cannot be told whether it was counted', async () => {
    const own = await metering.tenantOn(PRO);
    await metering.publish(settled({ tenantId: own, eventId: newUuid(Date.parse('2019-01-01T00:00:00Z')) }));
    await eventually(async () => {
      const { rows } = await metering.database.work.direct.query<{ error_code: string }>(`select error_code from weir.parked_messages where service = 'metering' and key like $1`, [`${own}/%`]);
      expect(rows).toEqual([{ error_code: 'usage-too-old' }]);
    });
    await eventually(async () => expect(await chargedOf(own)).toBe(0));
  });

  it('answers reports in CSV to who asks for it', async () => {
    const own = await metering.tenantOn(PRO);
    await metering.publish(settled({ tenantId: own, endpoint: 'a,"b"' }), served({ tenantId: own, endpoint: 'c' }));
    await eventually(async () => expect(await chargedOf(own)).toBe(3));
    const { body, headers } = await metering.call<string>(
      'GET',
      `/v1/tenants/${own}/usage?groupBy=endpoint,key`,
      metering.operator,
      { headers: { accept: 'text/csv' } },
    );
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(body).toBe(
      'endpoint,keyId,calls,upstreamCredits,unsettledCredits,chargedCredits\r\n"a,""b""",key_platform,1,2,0,2\r\nc,,1,0,0,1\r\n',
    );
  });

  it('an exception of prices holds for its months, is an event of the tenant’s log, and If-Match guards it', async () => {
    const own = await metering.tenantOn(PRO);
    await metering.publish(settled({ tenantId: own, chargedCredits: 7, at: Date.parse('2026-09-15T12:00:00Z') }));
    const exception = {
      model: 'usage',
      perCredit: eur('0.0035'),
      perSeat: eur('0'),
      perMonth: eur('49.90'),
      from: '2026-09',
      until: '2026-09',
    };
    const put = (body: unknown, headers = {}) =>
      metering.call<BillingView>('PUT', `/v1/tenants/${own}/billing`, metering.operator, { body, headers });

    expect(await put(exception)).toMatchObject({
      status: 200,
      body: { version: 1, exceptions: [{ ...exception, includedCredits: 0 }] },
    });
    expect((await put(exception)).body.version).toBe(1);
    expect((await put({ ...exception, perMonth: eur('1') }, { 'if-match': '"7"' })).status).toBe(412);
    const stale = await get<BillingView>(`/v1/tenants/${own}/billing`, metering.operator);
    expect(stale.headers.get('etag')).toBe('"1"');

    const preview = async (period: string) =>
      (await get<InvoicePreview>(`/v1/tenants/${own}/invoices/preview?period=${period}`, metering.operator)).body;
    await eventually(async () =>
      expect(await preview('2026-09')).toMatchObject({ source: 'exception', model: 'usage', total: eur('49.92') }),
    );
    expect(await preview('2026-10')).toMatchObject({ source: 'plan', model: 'seat-plus-overage', total: eur('0.00') });

    const { rows } = await metering.database.work.inTenant(own, (sql) =>
      sql.query<{ type: string; actor_type: string }>('select type, actor_type from events'),
    );
    expect(rows).toEqual([{ type: 'billing.exception-set', actor_type: 'operator' }]);
  });
});

const PRICES = { perCredit: eur('0.1'), perSeat: eur('1'), perMonth: eur('1') };
const EXCEPTION = { model: 'usage', ...PRICES, from: '2026-11' };

describe('who may see what', () => {
  const ofTenant = ['usage', 'quota', 'invoices/preview', 'billing', 'calls/req_00000000000000000000000000'];

  it.each(ofTenant)('G1 %s of another tenant answers the 404 of an unknown id', async (path) => {
    const another = await metering.tenantOn(PRO);
    const answers = await Promise.all(
      [another, newId('ten'), 'ten_nonsense'].map((id) => get<{ code: string; detail: string }>(`/v1/tenants/${id}/${path}`)),
    );
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(new Set(answers.map(({ body }) => `${body.code} ${body.detail}`)).size).toBe(1);
  });

  it('G2 what a role has no right to is refused', async () => {
    const statuses = async (token: string) => {
      const paths = [
        `/v1/tenants/${tenant}/usage`,
        `/v1/tenants/${tenant}/quota`,
        `/v1/tenants/${tenant}/invoices/preview`,
        `/v1/tenants/${tenant}/billing`,
        '/v1/usage',
      ];
      return Promise.all(paths.map(async (path) => (await get(path, token)).status));
    };
    expect(await statuses(auditor)).toEqual([403, 403, 403, 403, 403]);
    expect(await statuses(member)).toEqual([200, 200, 403, 403, 403]);
    expect(await statuses(owner)).toEqual([200, 200, 200, 403, 403]);
    expect(await statuses(metering.operator)).toEqual([200, 200, 200, 200, 200]);
    expect((await metering.call('PUT', `/v1/tenants/${tenant}/billing`, owner, { body: EXCEPTION })).status).toBe(403);
  });

  it('an operator who asks for a tenant that is not there is told so', async () => {
    for (const path of ofTenant) expect((await get(`/v1/tenants/${newId('ten')}/${path}`, metering.operator)).status).toBe(404);
  });

  it.each([
    ['usage?groupBy=weather'],
    ['usage?from=2026-13-01'],
    ['usage?from=2026-11-02&to=2026-11-01'],
    ['usage?from=2020-01-01&to=2026-11-01'],
    ['usage?plan=free'],
    ['invoices/preview?period=2026-13'],
    ['invoices/preview?period=2026-1'],
  ])('G3 %s is refused as invalid', async (path) => {
    expect(await get(`/v1/tenants/${tenant}/${path}`)).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
  });

  it.each([
    ['a field that is not one of its', { ...EXCEPTION, tenant_id: 'ten_x' }],
    ['an amount that is a number', { ...EXCEPTION, perCredit: { amount: 0.1, currency: 'EUR' } }],
    ['prices in two currencies', { ...EXCEPTION, perSeat: { amount: '1', currency: 'USD' } }],
    ['an end before its beginning', { ...EXCEPTION, until: '2026-10' }],
  ])('G3 an exception with %s is refused as invalid', async (_, body) => {
    expect((await metering.call('PUT', `/v1/tenants/${tenant}/billing`, metering.operator, { body })).status).toBe(400);
  });
});

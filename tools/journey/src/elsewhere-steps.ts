import { sleep } from '@weir/kernel';
import { ask, eventually } from './http';
import type { Journey } from './journey';

/** After the journey's own steps: tenants of the same installation whose data are in another database. */
export function elsewhereSteps(journey: () => Journey, cluster: string): void {
  const own = (path: string) => journey().as(journey().of('elsewhere'), 'GET', `/v1/tenants/${journey().of('elsewhere').id}${path}`);

  it('serves a tenant that was placed in another database end to end: call, key, snapshot, usage, invoice, and a log that verifies', async () => {
    const elsewhere = await journey().createTenant('hybrid', 'pro', { as: 'elsewhere', cluster });
    expect((await own('/isolation')).body).toMatchObject({ placement: 'database', database: cluster, schema: `t_${elsewhere.id.slice(4)}`, others: [], migration: { missing: [] } });
    expect((await journey().call(elsewhere, 'first.of.elsewhere')).headers.get('weir-cache')).toBe('hit');

    const secret = 'tl_elsewhere_7a6b5c4d3e2f1908';
    await ask(journey().running.simulatorUrl, 'POST', '/_simulator/keys', { body: { key: secret, credits: 1_000, perMinute: 6_000, burst: 500, scopes: ['download'] } });
    const key = await journey().as(elsewhere, 'POST', `/v1/tenants/${elsewhere.id}/upstream-keys`, { body: { key: secret, label: 'ours' } });
    expect({ status: key.status, state: key.body?.state }).toEqual({ status: 201, state: 'usable' });
    journey().secrets.set(key.body.id, secret);
    const called = await eventually(async () => {
      const answer = await journey().call(elsewhere, 'with.its.own.key', { headers: { 'weir-max-age': '0' } });
      expect({ status: answer.status, key: answer.headers.get('weir-key') }).toEqual({ status: 200, key: 'own' });
      return answer;
    });
    await eventually(async () => expect((await own(`/snapshots/users/${called.body.user.secUid}`)).status).toBe(200));
    await eventually(async () => expect((await own(`/calls/${called.headers.get('weir-request-id')}`)).status).toBe(200));
    await eventually(() => journey().bothEquationsHold(), 10_000);

    const found = (await own('/events?type=upstream-key.version-activated')).body.data;
    expect(found).toMatchObject([{ type: 'upstream-key.version-activated', tenantId: elsewhere.id }]);
    expect((await journey().as(elsewhere, 'POST', `/v1/tenants/${elsewhere.id}/audit/verify`)).body).toMatchObject({ result: 'intact', firstBreak: null });
    expect((await journey().as(journey().of('byo'), 'GET', `/v1/tenants/${elsewhere.id}/events`)).status).toBe(404);
  }, 40_000);

  it('R10 moves a tenant there while it calls: no call fails, no credit is lost, and its log goes on where it was', async () => {
    const shared = journey().of('shared');
    const positionOf = async () => (await journey().as(shared, 'POST', `/v1/tenants/${shared.id}/audit/verify`)).body as { result: string; position: number };
    const before = await positionOf();
    const statuses: number[] = [];
    let moving = true;
    const calls = (async () => {
      for (let n = 0; moving; n++) {
        statuses.push((await journey().call(shared, `while.moved.${n}`)).status);
        // below its bucket
        await sleep(20);
      }
    })();
    const moved = await journey().operator('PUT', `/v1/tenants/${shared.id}/placement`, { body: { placement: 'database', cluster }, headers: { prefer: 'wait=20' } });
    moving = false;
    await calls;
    expect(moved).toMatchObject({ status: 202, body: { kind: 'tenant.move', status: 'succeeded' } });
    expect(statuses.length).toBeGreaterThan(0);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect((await journey().call(shared, 'there')).status).toBe(200);
    expect((await journey().as(shared, 'GET', `/v1/tenants/${shared.id}/isolation`)).body).toMatchObject({ placement: 'database', database: cluster, others: [] });
    await eventually(() => journey().bothEquationsHold(), 15_000);
    const after = await positionOf();
    expect(after).toMatchObject({ result: 'intact' });
    expect(after.position).toBeGreaterThan(before.position);
  }, 40_000);
}

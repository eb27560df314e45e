import { UNSETTLED_SOON } from './distributed-shape';
import { ask, eventually } from './http';
import { Journey } from './journey';
import { StandaloneShape } from './standalone-shape';
import { journeySteps } from './steps';

describe('the main job in standalone', () => {
  const shape = new StandaloneShape({ WEIR_DEMO: 'off', ...UNSETTLED_SOON });
  let journey: Journey;

  beforeAll(async () => {
    journey = new Journey(await shape.start());
  }, 60_000);
  afterAll(() => shape.remove(), 30_000);

  journeySteps(() => journey);

  it('shows a browsable reference at /docs', async () => {
    const { status, text } = await ask(journey.running.url, 'GET', '/docs');
    expect(status).toBe(200);
    expect(text).toContain('swagger');
  });

  it('G1, G2 on every route of the reference another tenant’s id answers as an unknown one, and a role is refused what it has no right to', async () => {
    const [own, other] = [journey.of('byo'), journey.of('shared')];
    const { body: reference } = await ask(journey.running.url, 'GET', '/v1/openapi.json');
    const routes = routesOf(reference).filter(({ needs }) => needs !== undefined && needs !== 'nobody');
    expect(routes.filter(({ path }) => path.includes('{t}')).length).toBeGreaterThan(40);

    const tokens = new Map<string, string>();
    for (const role of Object.keys(RIGHTS)) tokens.set(role, (await journey.operator('POST', `/v1/tenants/${own.id}/tokens`, { body: { label: role, role } })).body.token as string);
    await eventually(async () => {
      for (const token of tokens.values()) expect([200, 403]).toContain((await ask(journey.running.url, 'GET', `/v1/tenants/${own.id}`, { token })).status);
    });
    const wrong: string[] = [];
    const attempt = (role: string, method: string, path: string) => ask(journey.running.url, method.toUpperCase(), path, { token: tokens.get(role) ?? '', ...(method === 'get' || method === 'delete' ? {} : { body: {} }) });
    for (const { method, path, needs } of routes) {
      if (path.includes('{t}')) {
        const [foreign, unknown] = [await attempt('owner', method, filled(path, other.id)), await attempt('owner', method, filled(path, 'ten_00000000000000000000000000'))];
        if (foreign.status !== 404 || foreign.body?.code !== unknown.body?.code) wrong.push(`${method} ${path} of another tenant: ${foreign.status} ${foreign.body?.code}`);
      }
      for (const [role, rights] of Object.entries(RIGHTS)) {
        if (rights.includes(needs ?? '')) continue;
        const { status, body } = await attempt(role, method, filled(path, own.id));
        if (status !== 403 || body?.code !== 'forbidden') wrong.push(`${method} ${path} as ${role}: ${status} ${body?.code}`);
      }
    }
    expect(wrong).toEqual([]);
  }, 30_000);

  it.each(['SIGTERM', 'SIGKILL'] as const)('keeps tenants, keys, usage and spent quotas over %s and a start on the same directory', async (signal) => {
    const shared = journey.of('shared');
    const quota = async () => (await journey.as(shared, 'GET', `/v1/tenants/${shared.id}/quota`)).body.day.usedCredits as number;
    await eventually(() => journey.bothEquationsHold(), 10_000);
    const before = await quota();

    const ended = await shape.end(signal);
    expect(ended).toBe(signal === 'SIGTERM' ? 0 : 'SIGKILL');
    journey.running = await shape.start();

    expect(await quota()).toBe(before);
    const limits = await journey.as(shared, 'GET', `/v1/tenants/${shared.id}/limits`);
    const daily = limits.body.data.find(({ name }: { name: string }) => name === 'daily-quota');
    expect(daily.used).toBeGreaterThanOrEqual(before);
    for (const mode of ['shared', 'byo', 'hybrid'] as const) {
      const answer = await journey.call(journey.of(mode), `after.${signal.toLowerCase()}`);
      expect({ mode, status: answer.status, key: answer.headers.get('weir-key') }).toEqual({ mode, status: 200, key: mode === 'shared' ? 'platform' : 'own' });
    }
    await eventually(() => journey.bothEquationsHold(), 10_000);
  }, 60_000);
});

/** What each role may do, besides what anyone may: what a route needs is in the reference. */
const RIGHTS: Record<string, string[]> = {
  owner: ['admin', 'member', 'auditor', 'anyone'],
  admin: ['admin', 'member', 'auditor', 'anyone'],
  member: ['member', 'anyone'],
  auditor: ['auditor', 'anyone'],
};

type Reference = { paths: Record<string, Record<string, { 'x-weir-needs'?: string }>> };

const routesOf = ({ paths }: Reference) =>
  Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ method, path, needs: operation['x-weir-needs'] })));

const filled = (path: string, tenant: string): string => path.replace('{t}', tenant).replace(/\{\w+\}/g, 'nothing');

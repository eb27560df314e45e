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

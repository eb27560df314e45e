import { Health } from './health';

async function reported(add: (health: Health) => void) {
  const health = new Health();
  health.notReady = undefined;
  add(health);
  return health.report();
}

const away = () => Promise.reject(new Error('connection refused'));

describe('readiness', () => {
  it('is lost with what the process cannot answer without', async () => {
    expect(await reported((health) => health.add('database', away))).toEqual({ ready: false, checks: { database: { state: 'failed', detail: 'connection refused' } } });
  });

  it('is kept, and its lack said, without what all replicas share and calls go on without: taking every one of them out helps nobody (E7)', async () => {
    expect(await reported((health) => health.add('bus', away, { worst: 'degraded' }))).toEqual({ ready: true, checks: { bus: { state: 'degraded', detail: 'connection refused' } } });
  });
});

import { Gauge, Registry } from 'prom-client';
import { Health } from './health';
import { startManagement } from './management';

it('/metrics has all that can be had when one collector fails, as those that ask a database do in an outage', async () => {
  const registry = new Registry();
  new Gauge({ name: 'spec_waiting', help: 'asks a database', registers: [registry], collect: () => Promise.reject(new Error('the database is away')) });
  new Gauge({ name: 'spec_flights', help: 'is at hand', registers: [registry] }).set(7);
  const { url, close } = await startManagement({ host: '127.0.0.1', port: 0, health: new Health(), metrics: registry });
  try {
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text).toMatch(/^spec_flights 7$/m);
    expect(text).toMatch(/^weir_metrics_failed 1$/m);
    expect(text).not.toMatch(/^spec_waiting/m);
  } finally {
    await close();
  }
});

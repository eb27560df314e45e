import { SERVICES } from '@weir/tenancy';
import { DistributedShape } from './distributed-shape';
import { elsewhereSteps } from './elsewhere-steps';
import { eventually } from './http';
import { Journey } from './journey';
import { journeySteps } from './steps';

describe('the main job as separate services over Kafka, Redis, Postgres and KMS', () => {
  const shape = new DistributedShape(1, true);
  let journey: Journey;

  beforeAll(async () => {
    journey = new Journey(await shape.start());
  }, 120_000);
  afterAll(() => shape.remove(), 60_000);

  journeySteps(() => journey);
  elsewhereSteps(() => journey, 'eu');

  it('has had each of the six read records from Kafka, and each has said something there', async () => {
    for (const service of SERVICES) {
      const [consumed, followed] = [await shape.counted(service, 'weir_bus_consumed_records_total'), await shape.counted(service, 'weir_bus_followed_records_total')];
      const records = [...consumed.values(), ...followed.values()].reduce((sum, count) => sum + count, 0);
      expect({ service, reads: records > 0 }).toEqual({ service, reads: true });
    }
    // the relay, which lives with the registry, publishes what stands in the logs, whoever wrote it; fetcher and vault publish usage themselves
    const relayed = await shape.counted('tenant-registry', 'weir_bus_published_records_total');
    for (const topic of ['weir.tenant.events', 'weir.upstream-key.events', 'weir.key-ceiling.state', 'weir.limit-policy.events', 'weir.quota.state', 'weir.audit.events']) {
      expect({ topic, published: (relayed.get(topic) ?? 0) > 0 }).toEqual({ topic, published: true });
    }
    for (const service of ['upstream-fetcher', 'key-vault'] as const) {
      expect((await shape.counted(service, 'weir_bus_published_records_total')).get('weir.usage')).toBeGreaterThan(0);
    }
  });

  it.each(SERVICES)('loses nothing of the journey when %s is killed and started again', async (service) => {
    await eventually(() => journey.bothEquationsHold(), 10_000);
    const process = shape.distributed.service(service);
    const user = `after.${service.replaceAll('-', '.')}`;
    await process.kill();
    await process.start();

    for (const mode of ['shared', 'byo', 'hybrid'] as const) {
      await eventually(async () => {
        const answer = await journey.call(journey.of(mode), user);
        expect({ mode, status: answer.status, key: answer.headers.get('weir-key') }).toEqual({ mode, status: 200, key: mode === 'shared' ? 'platform' : 'own' });
      });
    }
    await eventually(() => journey.bothEquationsHold(), 15_000);
  }, 60_000);

  it('G12 G5 leaves no secret of the journey in a log, a metric, a table or a topic: no upstream key, no token, no operator token', async () => {
    const tokens = Object.values(journey.tenants).map(({ token }) => token);
    // the last 49 characters of a token are its secret and checksum; its id before them is no secret
    const secrets = [...journey.secrets.values(), ...[...tokens, journey.running.operatorToken].map((token) => token.slice(-49, -6))];
    const traces = await shape.everyTrace();
    expect(traces.filter(({ text }) => text !== '').length).toBeGreaterThan(30);
    for (const secret of secrets) expect(traces.filter(({ text }) => text.includes(secret)).map(({ where }) => where)).toEqual([]);
  });
});

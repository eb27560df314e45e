import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@weir/testing';
import { startParts, type Parts } from '@weir/stack';
import type { Bus, Consumption } from '../port';
import { Recorder, series } from '../testing/rig';
import { kafkaBus } from './kafka-bus';

describe('Kafka bus whose broker is gone', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-bus-'));
  let broker: Parts<'kafka'>;
  let bus: Bus;
  let consumption: Consumption;

  beforeAll(async () => {
    broker = await startParts({
      only: ['kafka'],
      dataDir,
      environment: { PATH: process.env.PATH, JAVA_HOME: process.env.JAVA_HOME, WEIR_STACK_CACHE: process.env.WEIR_STACK_CACHE },
    });
    bus = kafkaBus({ brokers: broker.kafka.brokers.split(','), clientId: 'weir-test' });
    const common = { partitions: 3, minInsyncReplicas: 1, retentionMs: -1 };
    await bus.ensureTopics([
      { ...common, name: 'log', cleanup: 'delete' },
      { ...common, name: 'state', cleanup: 'compact' },
    ]);
  }, 60_000);
  afterAll(async () => {
    await broker.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('says that it does not answer, and lets the age of followed topics grow (E14)', async () => {
    const seen = new Recorder();
    consumption = await bus.consume({ group: 'group', topics: ['log'], handle: seen.handle });
    const following = await bus.follow({ topics: ['state'], apply: () => undefined });
    await bus.publish(series('log', 30, 10));
    await following.caughtUp();
    await eventually(() => expect(seen.records).toHaveLength(30));

    process.kill(broker.kafka.pid ?? NaN, 'SIGKILL');
    await expect(bus.ping()).rejects.toMatchObject({ code: 'bus-unavailable', status: 503 });
    // twice the time between two questions: it was asked, and nobody answered
    await eventually(() => expect(following.ageMs()).toBeGreaterThan(3_000));
  });

  it('stops within its grace, and closes (E13)', async () => {
    const stopping = performance.now();
    await consumption.stop(500);
    expect(performance.now() - stopping).toBeLessThan(1_000);
    await bus.close();
    expect(performance.now() - stopping).toBeLessThan(8_000);
  });
});

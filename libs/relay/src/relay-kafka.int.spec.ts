import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaBus, type Bus, type BusRecord } from '@weir/bus';
import { TOPICS, eventsTopic } from '@weir/contracts';
import { eventLog } from '@weir/event-store';
import type { TenantId } from '@weir/kernel';
import { startKafkaCluster, type KafkaCluster } from '@weir/stack';
import { eventually, freshPrefix, servers } from '@weir/testing';
import { relayLag, startRelay } from './index';
import { Logs } from './testing/tenants';

const TOPIC = eventsTopic('tenant');
const root = join(__dirname, '..', '..', '..');
let logs: Logs;

beforeAll(async () => {
  logs = await Logs.open();
  // what a consumer does with an event: once for each id, in the transaction of its own write
  await logs.admin.query('create table applied (n bigserial, id uuid primary key, tenant text not null, name text not null)');
});
afterAll(() => logs.close());

const apply = async (batch: readonly BusRecord[]): Promise<void> => {
  for (const { headers, value } of batch) {
    await logs.admin.query('insert into applied (id, tenant, name) values ($1, $2, $3) on conflict do nothing', [
      headers['ce_id'],
      headers['ce_weirtenant'],
      (JSON.parse(String(value)) as { name: string }).name,
    ]);
  }
};

async function applied(tenant: TenantId): Promise<Array<{ id: string; name: string }>> {
  return (await logs.admin.query('select id, name from applied where tenant = $1 order by n', [tenant])).rows;
}

const upTo = (count: number) => Array.from({ length: count }, (_, n) => String(n));

describe('the relay over Kafka', () => {
  it('E5 loses nothing when it is killed between a publish and its mark: what comes twice has the same ids and is applied once', async () => {
    const { kafkaBrokers } = servers();
    const prefix = freshPrefix();
    const bus = kafkaBus({ brokers: kafkaBrokers.split(','), clientId: 'spec', prefix });
    await bus.ensureTopics(TOPICS.filter(({ name }) => name === TOPIC));
    const seen: string[] = [];
    await bus.consume({
      group: 'weir.spec.applied',
      topics: [TOPIC],
      handle: async (batch) => {
        seen.push(...batch.map(({ headers }) => headers['ce_id'] ?? ''));
        await apply(batch);
      },
    });
    const tenant = await logs.newTenant();
    await logs.append(tenant, 20);
    const child = fork(join(__dirname, 'testing', 'dying-relay.ts'), [logs.database.urlOf('tenant-registry'), kafkaBrokers, prefix], {
      execArgv: ['--require', join(root, 'tools', 'build', 'register.cjs'), '--disable-warning=TimeoutNegativeWarning'],
      env: { PATH: process.env['PATH'], KAFKAJS_NO_PARTITIONER_WARNING: '1' },
    });
    const published = await new Promise<string[]>((resolve) => child.once('message', (ids) => resolve(ids as string[])));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    expect(published).toHaveLength(20);
    await logs.append(tenant, 5, { from: 20 });

    const relay = startRelay({ work: logs.work, bus, onError: () => undefined });
    await eventually(async () => expect((await applied(tenant)).map(({ name }) => name)).toEqual(upTo(25)));
    const stored = await eventLog(logs.work).read(tenant, { after: 0, limit: 100 });
    expect((await applied(tenant)).map(({ id }) => id)).toEqual(stored.map(({ eventId }) => eventId));
    await eventually(() => expect(seen.filter((id) => published.includes(id))).toHaveLength(40));
    await relay.stop();
    await bus.close();
  }, 30_000);

  describe('whose broker goes away', () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'weir-relay-'));
    let kafka: KafkaCluster;
    let bus: Bus;
    beforeAll(async () => {
      kafka = await startKafkaCluster({ brokers: 1, dataDir, environment: process.env });
      bus = kafkaBus({ brokers: kafka.brokers.split(','), clientId: 'spec' });
    }, 60_000);
    afterAll(async () => {
      await bus.close();
      await kafka.stop();
      rmSync(dataDir, { recursive: true, force: true });
    });

    it('E7 lets commands go on meanwhile, shows its lag, and drains in order when the broker is back', async () => {
      await bus.ensureTopics(TOPICS.filter(({ name }) => name === TOPIC));
      await bus.consume({ group: 'weir.spec.away', topics: [TOPIC], handle: apply });
      const tenants = [await logs.newTenant(), await logs.newTenant()];
      const relay = startRelay({ work: logs.work, bus, onError: () => undefined });
      for (const tenant of tenants) await logs.append(tenant, 3);
      for (const tenant of tenants) await eventually(async () => expect((await applied(tenant)).map(({ name }) => name)).toEqual(upTo(3)));

      await kafka.kill(1);
      for (const tenant of tenants) await logs.append(tenant, 30, { from: 3 });
      await eventually(async () => {
        const lag = await relayLag([logs.work.direct]);
        expect(lag).toMatchObject({ tenants: 2, events: 60 });
        expect(lag.seconds).toBeGreaterThan(1);
        expect(new Set(lag.worst.map(({ tenant }) => tenant))).toEqual(new Set(tenants));
      });

      await kafka.start(1);
      for (const tenant of tenants) await eventually(async () => expect((await applied(tenant)).map(({ name }) => name)).toEqual(upTo(33)), 20_000);
      await eventually(async () => expect(await relayLag([logs.work.direct])).toMatchObject({ tenants: 0, events: 0, seconds: 0 }));
      await relay.stop();
    }, 60_000);
  });
});

import { join } from 'node:path';
import { kafkaBus, type OutgoingRecord } from '@weir/bus';
import { TOPICS, eventsTopic } from '@weir/contracts';
import { startRelay } from '@weir/relay';
import { sleep } from '@weir/kernel';
import { startParts } from '@weir/stack';
import { createPool, loginOf, unitOfWork } from '@weir/tenancy';
import { ratioGate, type Bench, type Result } from '../bench';
import { openDatabase } from '../event-store/tenants';
import { bareProducer } from './bare-producer';
import { draining } from './draining';
import { RELAY_P95, latency } from './latency';
import { fill } from './logs';
import { notifying } from './notifying';

const TOPIC = eventsTopic('tenant');
/** What stands in the first one is not what a consumer of the second has to read. */
const OTHER_TOPIC = eventsTopic('api-token');
const BEHIND = 20;
const EVENTS = 1_000;
const TENANTS = 1_000;
/** Appends a second: with the second one the servers' core is about two thirds busy. */
const LOADS = [100, 200];
/** Within which the relay wakes of a commit. */
const WAKES_WITHIN_MS = 50;

export const bus: Bench = {
  name: 'bus',
  title: 'the relay, a bare kafkajs producer of the same records = 1; from commit to consumer at 1,000 tenants',
  async open(ground) {
    const kafka = await startParts({ only: ['kafka'], dataDir: join(ground.directory, 'kafka'), environment: process.env, progress: ground.progress });
    if (kafka.kafka.pid !== undefined) ground.server('kafka', kafka.kafka.pid);
    const database = await openDatabase(ground);
    const { brokers } = kafka.kafka;
    const onBus = kafkaBus({ brokers: brokers.split(','), clientId: 'bench' });
    const topic = TOPICS.filter(({ name }) => name === TOPIC);
    await onBus.ensureTopics(TOPICS.filter(({ name }) => name === TOPIC || name === OTHER_TOPIC));

    ground.progress(`making ${BEHIND} logs of ${EVENTS} events`);
    const behind = await database.newTenants(BEHIND, 'schema');
    await fill(database, behind, EVENTS);
    const records: OutgoingRecord[] = [];
    const relay = startRelay({ work: database.work, bus: { ...onBus, publish: async (more) => (await onBus.publish(more), void records.push(...more)) }, onError: (error) => ground.progress(error.message) });
    while (records.length < BEHIND * EVENTS) await sleep(20);
    await relay.stop();
    ground.progress(`making ${TENANTS} tenants`);
    const tenants = await database.newTenants(TENANTS, 'schema');

    // the relay has sessions of its own, as in its service
    const own = createPool({ url: Object.assign(new URL(database.admin.options.connectionString ?? ''), { username: loginOf('tenant-registry'), password: 'bench' }).href, name: 'bench/relay', max: 6 });
    const relaying = unitOfWork(own, 'tenant-registry');
    const bare = bareProducer(brokers, TOPIC, records, topic[0]?.partitions ?? 1);
    const drain = draining(database, relaying, onBus, behind, EVENTS, bare.name);
    const latencies = LOADS.map((appendsASecond) => latency({ database, relaying, bus: onBus, topic: OTHER_TOPIC, tenants, appendsASecond }));
    return {
      sides: [bare, drain, ...latencies, ...notifying(database)],
      gates: [
        ratioGate(drain.name, 0.7),
        ...latencies.map(({ name }) => ({ title: `${name}: ${RELAY_P95}`, value: (resultOf: (side: string) => Result | undefined) => resultOf(name)?.figures[RELAY_P95], atMost: WAKES_WITHIN_MS })),
      ],
      async close() {
        await onBus.close();
        await own.end();
        await database.close();
        await kafka.stop();
      },
    };
  },
};

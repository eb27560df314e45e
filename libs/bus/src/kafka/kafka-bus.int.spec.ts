import { eventually, freshDatabase, freshPrefix, servers, type TestDatabase } from '@weir/testing';
import { ConfigResourceTypes, Kafka, Partitioners, logLevel } from 'kafkajs';
import { Pool } from 'pg';
import { postgresParkingLot } from '../parking';
import type { OutgoingRecord } from '../port';
import { busConformance } from '../testing/conformance';
import { operatorOf } from '../testing/parked';
import { kafkaBus } from './kafka-bus';

/** By a bare producer, once the topic's own limit has been raised: the broker's default lets in 1 MB. */
async function putLarge(prefix: string, { topic, key, value }: OutgoingRecord): Promise<void> {
  const kafka = new Kafka({ brokers: servers().kafkaBrokers.split(','), clientId: 'somebody-else', logLevel: logLevel.NOTHING });
  const [admin, producer] = [kafka.admin(), kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })];
  await Promise.all([admin.connect(), producer.connect()]);
  const name = `${prefix}${topic}`;
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries: [{ name: 'max.message.bytes', value: '8000000' }] }] });
  // the broker takes a moment to know it
  await eventually(() => producer.send({ topic: name, acks: -1, messages: [{ key, value }] }));
  await Promise.all([admin.disconnect(), producer.disconnect()]);
}

describe('Kafka bus', () => {
  const prefix = freshPrefix();
  let database: TestDatabase;
  let pool: Pool;
  beforeAll(async () => {
    database = await freshDatabase();
    pool = new Pool({ connectionString: database.urlOf('metering'), max: 4 });
  });
  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  busConformance(() => ({
    open: (onError = () => undefined) =>
      kafkaBus({
        brokers: servers().kafkaBrokers.split(','),
        clientId: 'weir-test',
        prefix,
        parking: postgresParkingLot({ pool, service: 'metering' }),
        onError,
      }),
    putLarge: (record) => putLarge(prefix, record),
    ...operatorOf(pool),
  }));

  it('refuses a record that the broker finds too large, and lets the calls beside it through', async () => {
    const bus = kafkaBus({ brokers: servers().kafkaBrokers.split(','), clientId: 'weir-test', prefix });
    const topic = 'weir.large';
    await bus.ensureTopics([{ name: topic, partitions: 1, cleanup: 'delete', retentionMs: -1, minInsyncReplicas: 1 }]);
    const answers = await Promise.allSettled(
      [10, 2_000_000, 10].map((size) => bus.publish([{ topic, key: 'k', value: Buffer.alloc(size), headers: {} }])),
    );
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(answers[1]).toMatchObject({ reason: expect.objectContaining({ code: 'bad-record', status: 400 }) });
    await bus.close();
  });
});

import { freshDatabase, freshPrefix, servers, type TestDatabase } from '@weir/testing';
import { Pool } from 'pg';
import { postgresParkingLot } from '../parking';
import { busConformance } from '../testing/conformance';
import { operatorOf } from '../testing/parked';
import { kafkaBus } from './kafka-bus';

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
    ...operatorOf(pool),
  }));
});

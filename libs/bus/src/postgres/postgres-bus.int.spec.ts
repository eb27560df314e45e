import { freshDatabase, type TestDatabase } from '@weir/testing';
import { Pool } from 'pg';
import { postgresParkingLot } from '../parking';
import { busConformance } from '../testing/conformance';
import { operatorOf } from '../testing/parked';
import { postgresBus } from './postgres-bus';

describe('Postgres bus', () => {
  let database: TestDatabase;
  let pool: Pool;
  beforeAll(async () => {
    database = await freshDatabase();
    pool = new Pool({ connectionString: database.urlOf('metering'), max: 10 });
  });
  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  busConformance(() => ({
    open: (onError = () => undefined) =>
      postgresBus({
        pool,
        directUrl: database.urlOf('metering'),
        parking: postgresParkingLot({ pool, service: 'metering' }),
        onError,
      }),
    // it has no limit of its own: a value is what a column holds
    putLarge: async (record) => {
      await pool.query('select weir_bus.publish($1::text[], $2::text[], $3::bytea[], $4::jsonb[])', [[record.topic], [record.key], [record.value], ['{}']]);
    },
    ...operatorOf(pool),
  }));
});
